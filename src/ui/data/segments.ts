/** Tokens as the viewer shows them: neighbours of the same fate together, with blanks made visible. */
import type { TokenFate, TokenView } from '../../protocol/datasetApi';

export interface Segment {
  fate: TokenFate;
  tokens: TokenView[];
}

export function segments(tokens: readonly TokenView[]): Segment[] {
  const found: Segment[] = [];
  for (const token of tokens) {
    const last = found.at(-1);
    if (last?.fate === token.fate) last.tokens.push(token);
    else found.push({ fate: token.fate, tokens: [token] });
  }
  return found;
}

/** Blanks as dots, line ends as arrows, other control and bidi characters as their code. */
export function visible(text: string): string {
  return text
    .replaceAll(' ', '·')
    .replaceAll('\n', '⏎')
    .replaceAll('\t', '⇥')
    .replace(
      /[\p{Cc}\p{Cf}]/gu,
      (character) => `⟨${character.codePointAt(0)?.toString(16).padStart(4, '0') ?? ''}⟩`,
    );
}

/** True where a part of a character stands as its bytes. */
export const holdsBytes = (text: string): boolean => /⟨[0-9A-F]{2}[ ⟩]/.test(text);
