/** Tokens as text that shows what is in it: blanks as dots, line ends as arrows, other control and bidi characters as their code. */
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
