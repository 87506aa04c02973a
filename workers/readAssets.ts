/** What a model needs to read and write text, read where it can be stopped: tokenizer.json and the template are programs. */
import { wrap } from 'comlink';
import type { ChatAssets } from '../src/protocol/data';
import type { Milliseconds } from '../src/units';
import type { AssetsApi } from './assets';
import { BadRequest } from './failures';

/** The largest tokenizers, of 35 million characters, take some seconds on a slow machine. */
const LIMIT: Milliseconds = 60_000;

/** As assetsFrom, but what does not end in time is ended, and refused as what it is. */
export async function readAssets(
  files: ReadonlyMap<string, string>,
  config: unknown,
  limit: Milliseconds = LIMIT,
): Promise<ChatAssets> {
  const worker = new Worker(new URL('./assets.ts', import.meta.url), { type: 'module' });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stopped = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BadRequest(tooLong(limit))), limit);
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      reject(new Error(`The tokenizer could not be tried (${event.message || 'a script is missing'}).`));
    });
  });
  try {
    const result = await Promise.race([wrap<AssetsApi>(worker).read(files, config), stopped]);
    if (result.ok) return result.value;
    const { kind, message } = result.failure;
    throw kind === 'bad-input' ? new BadRequest(message) : new Error(message);
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}

function tooLong(limit: Milliseconds): string {
  return (
    `The tokenizer’s pattern takes too long: tokenizer.json, or the chat template, did not end on a short text within ${limit / 1000} s and was stopped. ` +
    'The model was not loaded. Take the files of the model’s own repository.'
  );
}
