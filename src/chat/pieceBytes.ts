/** The bytes behind a vocabulary piece, for tokenizers whose pieces may hold a part of a character. */

/** Byte-level vocabularies write each byte as one letter: printable bytes as themselves, the others from U+0100 on. */
const byteOf = new Map<string, number>();
for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  byteOf.set(String.fromCodePoint(printable ? byte : next++), byte);
}

/** Null where the piece is written in no bytes: it is text. */
export function pieceBytes(piece: string): Uint8Array<ArrayBuffer> | null {
  const fallback = /^<0x([0-9A-F]{2})>$/i.exec(piece)?.[1];
  if (fallback !== undefined) return Uint8Array.of(parseInt(fallback, 16));
  const bytes: number[] = [];
  for (const letter of piece) {
    const byte = byteOf.get(letter);
    if (byte === undefined) return null;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Whole characters as they are, bytes that are only a part of one in brackets: "م⟨D8⟩". */
export function readBytes(bytes: Uint8Array): string {
  let text = '';
  let parts: string[] = [];
  const close = (): void => {
    if (parts.length > 0) text += `⟨${parts.join(' ')}⟩`;
    parts = [];
  };
  for (let at = 0; at < bytes.length;) {
    const whole = characterAt(bytes, at);
    if (whole === null) {
      parts.push((bytes[at] ?? 0).toString(16).toUpperCase().padStart(2, '0'));
      at++;
    } else {
      close();
      text += whole.character;
      at += whole.length;
    }
  }
  close();
  return text;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function characterAt(bytes: Uint8Array, at: number): { character: string; length: number } | null {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      return { character: strict.decode(bytes.subarray(at, at + length)), length };
    } catch {
      // too few bytes yet, or none that begin a character
    }
  }
  return null;
}
