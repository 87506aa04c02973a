/** An example as the mask viewer shows it: each token's text and what becomes of it. */
import type { TokenView } from '../protocol/datasetApi';
import type { Tokens } from '../units';
import type { ChatFormat } from './format';
import type { MaskedRow } from './mask';
import { pieceBytes, readBytes } from './pieceBytes';
import type { ChatTokenizer } from './tokenizer';

export function viewRows(
  format: ChatFormat,
  rows: readonly MaskedRow[],
  length: Tokens,
  cutsLong: boolean,
): TokenView[] {
  const stops = new Set([...format.stopIds, format.plainEndId]);
  return rows.flatMap(({ ids, learn }) =>
    Array.from(ids, (id, t): TokenView => {
      const text = tokenText(format.tokenizer, id);
      if (!cutsLong && t >= length) return { id, text, fate: 'cut' };
      if (learn[t] === 1) return { id, text, fate: stops.has(id) ? 'end-mark' : 'learned' };
      return { id, text, fate: format.tokenizer.specialIds.has(id) ? 'special' : 'read' };
    }),
  );
}

/** One token as text. Bytes that are only a part of a character are shown as bytes: the token alone does not say which. */
export function tokenText(tokenizer: ChatTokenizer, id: number): string {
  const piece = tokenizer.token(id);
  if (tokenizer.specialIds.has(id)) return piece;
  const text = tokenizer.decode([id]);
  if (text.includes('\u{FFFD}')) {
    const bytes = pieceBytes(piece);
    return bytes === null ? text : readBytes(bytes);
  }
  // A decoder may strip the blank of a first word; it belongs to the token.
  return piece.startsWith('\u{2581}') && !text.startsWith(' ') ? ` ${text}` : text;
}
