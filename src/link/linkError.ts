/** Why a link cannot be used: what is wrong, at which place of it, and what to do next. Shown as text. */
export class LinkError extends Error {
  override name = 'LinkError';
  constructor(
    readonly what: string,
    /** A place in the link, e.g. "settings.learningRate". */
    readonly where: string,
    readonly next = 'Ask for the link again and copy it whole.',
    cause?: unknown,
  ) {
    super(`${what} (${where}) ${next}`, { cause });
  }
}

/** Foreign text for a message: cut, and with nothing in it that is invisible or turns the reading direction. */
export function quoted(text: string, longest = 80): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut.replace(/[\p{C}\p{Z}]/gu, (char) =>
    char === ' ' ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
