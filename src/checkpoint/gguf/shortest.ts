/** The f32 of a file as people wrote it: 1e-5 rather than 0.000009999999747378752. */
export function shortest(value: number): number {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
}
