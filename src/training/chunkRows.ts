/** How many rows of logits are made at once: so many that a kernel is worth its dispatch, so few that they never fill the memory. */
const LOGIT_BYTES = 64 * 2 ** 20;
/** Longer chunks save dispatches, shorter ones leave fewer rows to fill up. */
const MOST_ROWS = 256;

/** Rows of logits at once: 64 MiB of them at the most, 32 rows at the least where a micro-batch has as many. */
export function chunkRows(vocab: number, tokens: number): number {
  const room = Math.max(32, Math.floor(LOGIT_BYTES / (4 * vocab) / 32) * 32);
  return Math.min(MOST_ROWS, room, tokens);
}
