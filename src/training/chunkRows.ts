/** How many rows of logits are made at once: so many that a kernel is worth its dispatch, so few that they never fill the memory. */
const LOGIT_BYTES = 64 * 2 ** 20;
/** Longer chunks save dispatches, shorter ones leave fewer rows to fill up. */
const MOST_ROWS = 256;

/** Rows that a graphics card multiplies at a time: a chunk that ends within them would leave a part of it idle. */
const TILE = 64;

/** Rows of logits at once: 64 MiB of them at the most, 32 rows at the least where a micro-batch has as many. */
export function chunkRows(vocab: number, tokens: number): number {
  const fit = Math.floor(LOGIT_BYTES / (4 * vocab));
  const room = fit >= TILE ? fit - (fit % TILE) : 32;
  return Math.min(MOST_ROWS, room, tokens);
}
