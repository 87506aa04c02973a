/** The bytes of a file become text, exactly or not at all: no byte is ever replaced silently. */
import { DataProblem } from './problem';

export interface DecodedText {
  text: string;
  /** For people: how the bytes were read, when it is not plain UTF-8. */
  note: string | null;
}

export const MAX_FILE_BYTES = 512 * 1024 * 1024;

/** First bytes of files that are no text at all, and what to do instead. */
const FOREIGN: { magic: number[]; what: string }[] = [
  {
    magic: [0x50, 0x4b, 0x03, 0x04],
    what: 'a zip archive (or an .xlsx table). Unpack it, or save the table as CSV',
  },
  { magic: [0x1f, 0x8b], what: 'a gzip archive. Unpack it first' },
  { magic: [0x50, 0x41, 0x52, 0x31], what: 'a Parquet file. Save it as JSON Lines or CSV' },
  { magic: [0x25, 0x50, 0x44, 0x46], what: 'a PDF. Save its text as .txt' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: 'a zstd archive. Unpack it first' },
  { magic: [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31], what: 'an Arrow file. Save it as JSON Lines or CSV' },
];

export function decodeBytes(bytes: Uint8Array): DecodedText {
  if (bytes.length > MAX_FILE_BYTES) {
    const mebibytes = Math.ceil(bytes.length / 2 ** 20);
    throw new DataProblem(`The file has ${mebibytes} MiB; up to 512 MiB can be read. Take a part of it.`);
  }
  for (const { magic, what } of FOREIGN) {
    if (magic.every((byte, i) => bytes[i] === byte)) throw new DataProblem(`This is ${what}.`);
  }
  if (bytes[0] === 0xff && bytes[1] === 0xfe)
    return readUtf16(bytes.subarray(2), 'utf-16le', 'UTF-16 (little endian)');
  if (bytes[0] === 0xfe && bytes[1] === 0xff)
    return readUtf16(bytes.subarray(2), 'utf-16be', 'UTF-16 (big endian)');
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const body = hasMark ? bytes.subarray(3) : bytes;
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body), note: null };
  } catch {
    throw new DataProblem(whereUtf8Breaks(body));
  }
}

function readUtf16(body: Uint8Array, label: string, name: string): DecodedText {
  try {
    const text = new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(body);
    return { text, note: `The file is ${name}; it was read as such.` };
  } catch {
    throw new DataProblem(
      `The file begins as ${name} but breaks off or holds half a character. Save it as UTF-8.`,
    );
  }
}

/** Finds the first line that is not UTF-8, so that it can be named. */
function whereUtf8Breaks(body: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let line = 1;
  let start = 0;
  while (start < body.length) {
    const newline = body.indexOf(0x0a, start);
    const end = newline === -1 ? body.length : newline;
    const part = body.subarray(start, end);
    if (part.includes(0) && line === 1) {
      return 'The file holds zero bytes: it is UTF-16 without its mark, or no text. Save it as UTF-8.';
    }
    try {
      decoder.decode(part);
    } catch {
      const shown = new TextDecoder('windows-1252').decode(part.subarray(0, 60));
      return `Line ${line} is not UTF-8 (as Windows-1252 it would read “${shown}”). Save the file as UTF-8 and open it again.`;
    }
    line++;
    start = end + 1;
  }
  return 'The file is not UTF-8. Save it as UTF-8 and open it again.';
}
