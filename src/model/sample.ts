/** Chooses the next token from logits: greedy, or by temperature and top-p with a seeded random number. */
export interface Sampling {
  /** 0 is greedy. */
  temperature: number;
  /** Smallest set of tokens whose probability reaches this; 1 keeps all. */
  topP: number;
}

/** `random` in [0, 1) */
export function chooseToken(
  logits: Float32Array,
  { temperature, topP }: Sampling,
  random: () => number,
): number {
  if (temperature === 0) return argmax(logits);
  const most = logits[argmax(logits)] ?? 0;
  const order = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
  const weights = order.map((id) => Math.exp(((logits[id] ?? 0) - most) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let kept = 0;
  let reached = 0;
  while (kept < order.length && reached < topP * total) reached += weights[kept++] ?? 0;
  let left = random() * reached;
  for (let i = 0; i < kept; i++) {
    left -= weights[i] ?? 0;
    if (left < 0) return order[i] ?? 0;
  }
  return order[Math.max(0, kept - 1)] ?? 0;
}

export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best;
}
