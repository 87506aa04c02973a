/**
 * A file of a repository by its bytes. A connection that breaks is taken up at the last byte; a server that ignores the range
 * and sends the whole file is read from its start. Bytes that cannot be the file's are refused, not passed on.
 */
import { readByStream, type FileBytes } from '../checkpoint/fileBytes';
import type { HubFile } from '../protocol/models';
import type { Bytes, Milliseconds } from '../units';
import { fileAddress } from './address';
import { Ended, HubError } from './hubError';
import { ask, backOff, TRIES, wait, type HubAccess } from './request';

/** A line that says nothing for this long is taken for cut. */
const SILENCE: Milliseconds = 30_000;

export function fileOnHub(
  access: HubAccess,
  place: { repository: string; commit: string },
  { name, bytes: size }: Pick<HubFile, 'name' | 'bytes'>,
): FileBytes {
  const url = fileAddress(access.base, place.repository, place.commit, name);
  const stream = (begin: Bytes, end: Bytes) => streamRange(access, url, { name, size }, begin, end);
  return {
    name,
    size,
    stream,
    read: readByStream(stream),
  };
}

async function* streamRange(
  access: HubAccess,
  url: URL,
  file: { name: string; size: Bytes },
  begin: Bytes,
  end: Bytes,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let at = begin;
  for (let tried = 1; at < end; tried++) {
    const response = await ask(access, url, file.name, { begin: at, end });
    // a 200 is the whole file
    const first = response.status === 206 ? at : 0;
    checkLength(response, file, first, end);
    try {
      for await (const piece of bodyFrom(response, first, at, end)) {
        at += piece.length;
        tried = 0;
        yield piece;
      }
      if (at < end) throw new Error('the connection was closed before the end');
    } catch (cause) {
      if (cause instanceof HubError) throw cause;
      if (access.signal.aborted) throw new Ended();
      const error = new HubError(
        'cut-off',
        `${file.name}: the connection broke at byte ${at} of ${file.size}.`,
        null,
        cause,
      );
      if (tried === TRIES) throw error;
      await wait(access, error, tried === 0 ? 500 : backOff(tried));
    }
  }
}

function checkLength(
  response: Response,
  { name, size }: { name: string; size: Bytes },
  first: Bytes,
  end: Bytes,
): void {
  const said = response.headers.get('content-length');
  const expected = response.status === 206 ? end - first : size;
  // packed in transit, the header counts other bytes than these
  if (said === null || response.headers.has('content-encoding') || Number(said) === expected) return;
  void response.body?.cancel();
  throw new HubError(
    'wrong-length',
    `${name}: the answer has ${said} bytes; ${expected} belong to bytes ${first} to ${end} of this file. It has changed, or something on the way changes it.`,
    response.status,
  );
}

/** Bytes `begin` to `end` out of a body that starts at byte `first` of the file. */
async function* bodyFrom(
  response: Response,
  first: Bytes,
  begin: Bytes,
  end: Bytes,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (!response.body) return;
  const reader = response.body.getReader();
  let at = first;
  try {
    while (at < end) {
      const { done, value } = await orSilence(reader.read());
      if (done) return;
      const piece = value.subarray(Math.max(0, begin - at), Math.max(0, end - at));
      at += value.length;
      if (piece.length > 0) yield piece;
    }
    if (response.status === 206 && at > end)
      throw new HubError('wrong-length', `The hub sent ${at - end} bytes more than were asked for.`, 206);
  } finally {
    await reader.cancel().catch(() => undefined); // it has failed or ended already
  }
}

async function orSilence<T>(reading: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${SILENCE / 1000} seconds`)), SILENCE);
  });
  try {
    return await Promise.race([reading, silence]);
  } finally {
    clearTimeout(timer);
  }
}
