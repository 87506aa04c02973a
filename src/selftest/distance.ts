/** How far two lists of numbers lie apart: ‖ours − theirs‖₂ / ‖theirs‖₂. */
export function relativeL2(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length)
    throw new Error(`Compared ${ours.length} numbers with ${theirs.length}.`);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < theirs.length; i++) {
    difference += ((ours[i] ?? NaN) - (theirs[i] ?? NaN)) ** 2;
    size += (theirs[i] ?? NaN) ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(size), 1e-30);
}
