/**
 * Learns a byte-level BPE: which pairs of pieces to join, most frequent first. Works on counted words, so it is quick.
 * Knows the byte alphabet and the word pattern of GPT-2, which tokenizer.json names "ByteLevel"; writes no files.
 */

/** GPT-2's pattern: contractions, then letters, digits or marks with at most one blank in front, then blanks. */
const WORD = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface Merges {
  /** Pieces in order of their ids: the 256 bytes, then what the merges make. */
  pieces: string[];
  merges: [string, string][];
}

/** Joins the most frequent pair until there are `size` pieces. Equal counts are settled by the pair's text. */
export function learnMerges(texts: Iterable<string>, size: number): Merges {
  const alphabet = byteAlphabet();
  const words = [...countWords(texts)].map(([word, count]) => ({
    count,
    parts: [...new TextEncoder().encode(word)].map((byte) => alphabet[byte] ?? ''),
  }));
  const pieces = [...alphabet];
  const merges: [string, string][] = [];
  while (pieces.length < size) {
    const best = mostFrequentPair(words);
    if (!best) throw new Error(`The corpus has only ${pieces.length} pieces; ${size} were asked for.`);
    merges.push(best);
    const joined = best.join('');
    if (!pieces.includes(joined)) pieces.push(joined);
    for (const word of words) word.parts = join(word.parts, best);
  }
  return { pieces, merges };
}

/** GPT-2's printable stand-ins: byte 32 is "Ġ", byte 10 is "Ċ", printable ASCII stands for itself. */
export function byteAlphabet(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of text.match(WORD) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function mostFrequentPair(words: { count: number; parts: string[] }[]): [string, string] | null {
  const counts = new Map<string, number>();
  for (const { count, parts } of words) {
    for (let at = 0; at + 1 < parts.length; at++) {
      const key = `${parts[at]} ${parts[at + 1]}`;
      counts.set(key, (counts.get(key) ?? 0) + count);
    }
  }
  let best: string | null = null;
  let most = 0;
  for (const [key, count] of counts) {
    if (count > most || (count === most && best !== null && key < best)) [best, most] = [key, count];
  }
  const [left, right] = best?.split(' ') ?? [];
  return left !== undefined && right !== undefined ? [left, right] : null;
}

function join(parts: string[], [left, right]: [string, string]): string[] {
  const joined: string[] = [];
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? '';
    if (part === left && parts[at + 1] === right) {
      joined.push(left + right);
      at += 1;
    } else joined.push(part);
  }
  return joined;
}
