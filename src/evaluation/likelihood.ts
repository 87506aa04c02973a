/**
 * Sums of log-probabilities as figures for people. Takes natural logarithms; knows nothing of how they were computed.
 * Bits per byte compares models with different tokenizers, perplexity per token does not.
 */

/** exp of the mean negative log-probability. Same tokenizer only. */
export function perplexityPerToken(sumLogProb: number, tokens: number): number {
  if (tokens < 1) throw new Error(`Perplexity needs at least 1 token; this text has ${tokens}.`);
  return Math.exp(-sumLogProb / tokens);
}

/** −Σ log2 p over the UTF-8 bytes of the original text. */
export function bitsPerByte(sumLogProb: number, text: string): number {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes === 0) throw new Error('Bits per byte needs at least 1 byte; this text is empty.');
  return -sumLogProb / Math.LN2 / bytes;
}
