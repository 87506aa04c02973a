/** How many rows go where, by the number of rows: more can be held out where there are more. */
export interface Cut {
  /** For people and files, e.g. "70/15/15". */
  rule: string;
  validation: number;
  test: number;
  /** At most this many rows in either held-out part. */
  most: number;
}

export function cutFor(rows: number): Cut {
  if (rows < 200) return { rule: '80/20/0', validation: 0.2, test: 0, most: Infinity };
  if (rows <= 5000) return { rule: '70/15/15', validation: 0.15, test: 0.15, most: Infinity };
  if (rows <= 10_000) return { rule: '75/12.5/12.5', validation: 0.125, test: 0.125, most: Infinity };
  return { rule: '85/10/5', validation: 0.1, test: 0.05, most: 2000 };
}

/** For text, which asks nothing: no part for scored answers. */
export function withoutTest(cut: Cut): Cut {
  if (cut.test === 0) return cut;
  const held = cut.validation + cut.test;
  return { rule: `${100 - held * 100}/${held * 100}/0`, validation: held, test: 0, most: cut.most };
}
