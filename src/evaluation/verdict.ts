/**
 * What a comparison may claim, in one sentence. Names no winner while McNemar's test is not clear. Decides nothing else.
 */

/** The test is clear below this p. */
export const CLEAR = 0.05;

export interface Comparison {
  rows: number;
  baseRight: number;
  tunedRight: number;
  /** Wrong before, right after. */
  fixed: number;
  /** Right before, wrong after. */
  broken: number;
  pValue: number;
}

export function verdict(comparison: Comparison): string {
  const { rows, baseRight, tunedRight, fixed, broken, pValue } = comparison;
  const counts = `${baseRight} right before, ${tunedRight} after`;
  if (fixed + broken === 0) return `No difference on ${rows} rows: ${counts}.`;
  if (pValue >= CLEAR) {
    return `No clear difference on ${rows} rows: ${counts}, ${fixed} fixed and ${broken} broken (p = ${pValue.toFixed(2)}).`;
  }
  const direction = tunedRight > baseRight ? 'Better' : 'Worse';
  return `${direction}, on ${rows} rows kept from training: ${counts}, ${fixed} fixed and ${broken} broken (${sayP(pValue)}).`;
}

function sayP(p: number): string {
  return p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`;
}
