/**
 * Text made comparable, by the rules of the SQuAD script. Follows Python where JavaScript differs: which characters are
 * blanks, and where a word ends. Knows nothing of scores.
 */

/** The blanks of Python's `str.split()`: JavaScript's `\s` lacks U+001C–1F and U+0085 and has U+FEFF too many. */
const BLANKS = /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** JavaScript's `\b` is ASCII-only and would take the a out of "ça". */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** "a  b " → ["a", "b"] */
export function splitBlanks(text: string): string[] {
  return text.split(BLANKS).filter((part) => part !== '');
}

/** Lower case, ASCII punctuation out, articles out, blanks collapsed: "The  Eiffel Tower!" → "eiffel tower" */
export function squadNormalise(text: string): string {
  const plain = text.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLES, ' ');
  return splitBlanks(plain).join(' ');
}
