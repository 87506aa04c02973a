/** What sampleToken.ts and its twin are judged by: one row in double precision, number by number, the nucleus found by sorting. */
import type { Sampling } from '../../src/ops/sampleToken';

/** One row of logits → the id. */
export function sampleInDoubles(logits: Float32Array, draw: number, { temperature, topP }: Sampling): number {
  const largest = argmax(logits);
  if (temperature === 0) return largest;
  const most = logits[largest] ?? 0;
  const weights = Float64Array.from(logits, (z) => Math.exp((z - most) / temperature));
  const edge = topP < 1 ? nucleusEdge(weights, topP) : 0;
  const kept = weights.map((weight) => (weight >= edge ? weight : 0));
  const target = draw * kept.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  const id = kept.findIndex((weight) => (reached += weight) > target);
  return id < 0 ? largest : id;
}

/** The smallest weight of the smallest set that reaches `topP` of the sum. */
function nucleusEdge(weights: Float64Array, topP: number): number {
  const order = weights.toSorted((a, b) => b - a);
  const wanted = topP * weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  return order.find((weight) => (reached += weight) >= wanted) ?? 0;
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best;
}
