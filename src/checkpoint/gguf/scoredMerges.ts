/**
 * The merges of a SentencePiece BPE vocabulary, which has scores instead: every way to put a piece together from two others, the
 * piece with the highest score first. The same order as transformers' converter (convert_slow_tokenizer.py, generate_merges).
 */

/** `vocab`: pieces and their ids; `scores`: by id. */
export function mergesFromScores(vocab: [string, number][], scores: number[]): [string, string][] {
  const ids = new Map(vocab);
  const merges = vocab.flatMap(([piece, id]) => {
    const score = scores[id] ?? 0;
    return splits(piece)
      .filter(([left, right]) => ids.has(left) && ids.has(right))
      .sort(
        (a, b) => (ids.get(a[0]) ?? 0) - (ids.get(b[0]) ?? 0) || (ids.get(a[1]) ?? 0) - (ids.get(b[1]) ?? 0),
      )
      .map(([left, right]) => ({ left, right, score }));
  });
  // The sort is stable: equals stay in the order of the vocabulary. How a piece is put together does not change its score.
  merges.sort((a, b) => b.score - a.score);
  return merges.map(({ left, right }) => [left, right]);
}

/** A piece cut in two at every code point. */
function splits(piece: string): [string, string][] {
  const characters = [...piece];
  return characters
    .slice(1)
    .map((_, i) => [characters.slice(0, i + 1).join(''), characters.slice(i + 1).join('')]);
}
