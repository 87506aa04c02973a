/**
 * How right one answer is: exact match in three named forms, SQuAD F1, final number. Each metric has a signature that says
 * exactly how it was computed; values with different signatures are never compared. Knows nothing of models or intervals.
 */
import { splitBlanks, squadNormalise } from './normalise';

export const MATCH_FORMS = ['strict', 'trimmed', 'squad'] as const;
/** strict: equal strings · trimmed: both ends stripped · squad: case, punctuation, articles and blanks ignored */
export type MatchForm = (typeof MATCH_FORMS)[number];

export const F1_SIGNATURE = 'f1|norm:squad|empty:v2|refs:max|v:1';
export const FINAL_NUMBER_SIGNATURE = 'final-number|refs:max|v:1';

export function matchSignature(form: MatchForm): string {
  return `em|norm:${form}|refs:max|v:1`;
}

/** True when the answer equals any of the references under the named form. */
export function exactMatch(answer: string, reference: string | readonly string[], form: MatchForm): boolean {
  const given = underForm(answer, form);
  return listed(reference).some((one) => underForm(one, form) === given);
}

/** SQuAD's multiset F1 over words, best over references, 0 to 1; two empty texts agree (the rule of SQuAD v2). */
export function squadF1(answer: string, reference: string | readonly string[]): number {
  return Math.max(...listed(reference).map((one) => wordF1(words(answer), words(one))));
}

/** True when the last number of the answer equals the last number of any reference: "so 1,200.0" equals "#### 1200". */
export function finalNumberMatch(answer: string, reference: string | readonly string[]): boolean {
  const given = finalNumber(answer);
  return given !== null && listed(reference).some((one) => finalNumber(one) === given);
}

/** The last number of a text in one spelling ("-1,250.50" → "-1250.5"), or null where there is none. */
export function finalNumber(text: string): string | null {
  // A minus counts only where nothing stands directly before it: "2023-24" ends in 24.
  const found = text.match(/(?:(?<![\p{L}\p{N}])-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?/gu);
  const last = found?.at(-1);
  if (last === undefined) return null;
  const [whole = '', part = ''] = last.replaceAll(',', '').split('.');
  const sign = whole.startsWith('-') ? '-' : '';
  const digits = whole.replace(/^-?0*(?=\d)/, '');
  const rest = part.replace(/0+$/, '');
  const value = rest === '' ? digits : `${digits}.${rest}`;
  return value === '0' ? '0' : sign + value;
}

function underForm(text: string, form: MatchForm): string {
  switch (form) {
    case 'strict':
      return text;
    case 'trimmed':
      return text.trim();
    case 'squad':
      return squadNormalise(text);
    default:
      return form satisfies never;
  }
}

function wordF1(answer: string[], reference: string[]): number {
  if (answer.length === 0 || reference.length === 0) return answer.length === reference.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of reference) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of answer) {
    const remaining = left.get(word) ?? 0;
    if (remaining === 0) continue;
    left.set(word, remaining - 1);
    shared += 1;
  }
  return shared === 0 ? 0 : (2 * shared) / (answer.length + reference.length);
}

function words(text: string): string[] {
  return splitBlanks(squadNormalise(text));
}

function listed(reference: string | readonly string[]): readonly string[] {
  const all = typeof reference === 'string' ? [reference] : reference;
  if (all.length === 0)
    throw new Error('An answer cannot be scored without a reference: 0 were given, 1 is needed.');
  return all;
}
