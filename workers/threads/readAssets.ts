/** What a model needs to read and write text, read where it can be stopped: tokenizer.json and the template are programs. */
import type { ChatAssets } from '../../src/protocol/data';
import type { Milliseconds } from '../../src/units';
import type { AssetsApi } from '../assets';
import { BadRequest } from '../failures';
import { thread, type Thread } from './thread';

/** The largest tokenizers, of 35 million characters, take some seconds on a slow machine. */
const LIMIT: Milliseconds = 60_000;

/** As assetsFrom, but what does not end in time is ended, and refused as what it is. */
export async function readAssets(
  files: ReadonlyMap<string, string>,
  config: unknown,
  limit: Milliseconds = LIMIT,
): Promise<ChatAssets> {
  const own: Thread<AssetsApi> = thread(
    new Worker(new URL('../assets.ts', import.meta.url), { type: 'module' }),
    (reason) => own.end(new Error(`The tokenizer could not be tried (${reason}).`)),
  );
  const timer = setTimeout(() => own.end(new BadRequest(tooLong(limit))), limit);
  try {
    const result = await own.call((remote) => remote.read(files, config));
    if (result.ok) return result.value;
    const { kind, message } = result.failure;
    throw kind === 'bad-input' ? new BadRequest(message) : new Error(message);
  } finally {
    clearTimeout(timer);
    own.end(new Error('The tokenizer was read.'));
  }
}

function tooLong(limit: Milliseconds): string {
  return (
    `The tokenizer’s pattern takes too long: tokenizer.json, or the chat template, did not end on a short text within ${limit / 1000} s and was stopped. ` +
    'The model was not loaded. Take the files of the model’s own repository.'
  );
}
