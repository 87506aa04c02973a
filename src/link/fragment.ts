/**
 * Text as a piece of an address and back: UTF-8 → deflate-raw → base64url. Knows nothing of what the text says.
 * A piece from a stranger is bounded before it is decoded and again while it unpacks.
 */
import { LinkError } from './linkError';

/** Every setting, a model and a lesson take about 500. */
export const MAX_CHARACTERS = 4096;
/** Of the unpacked text; it has about 600. */
export const MAX_BYTES = 16 * 1024;
const WHERE = 'the address after “with=”';

export async function toFragment(text: string): Promise<string> {
  const packed = await new Response(
    new Blob([text]).stream().pipeThrough(new CompressionStream('deflate-raw')),
  ).arrayBuffer();
  const binary = Array.from(new Uint8Array(packed), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Throws a LinkError for whatever `toFragment` cannot have written. */
export async function fromFragment(fragment: string): Promise<string> {
  if (fragment.length > MAX_CHARACTERS)
    throw new LinkError(
      `The link is ${fragment.length} characters long; one made here has at most ${MAX_CHARACTERS}.`,
      WHERE,
    );
  const stranger = /[^A-Za-z0-9_-]/u.exec(fragment);
  if (stranger !== null)
    throw new LinkError(
      `Character ${stranger.index + 1} of the link cannot stand there: “${stranger[0]}”.`,
      WHERE,
    );
  if (fragment === '' || fragment.length % 4 === 1)
    throw new LinkError('The link is empty or was cut short.', WHERE);
  const binary = atob(fragment.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = await unpack(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LinkError('What the link holds is not text.', WHERE, undefined, cause);
  }
}

/** Stops reading at the first chunk that passes the limit, so that a few bytes cannot become a large block. */
async function unpack(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new LinkError(
        'The link cannot be unpacked: it was cut short or changed on the way.',
        WHERE,
        undefined,
        cause,
      );
    });
    if (done) break;
    size += value.byteLength;
    if (size > MAX_BYTES) {
      void reader.cancel().catch(() => undefined);
      throw new LinkError(
        `Unpacked the link is larger than ${MAX_BYTES} bytes; one made here has about 600.`,
        WHERE,
        'Do not use it: no link of this page is so large.',
      );
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
