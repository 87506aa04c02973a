/** A page that comes with one tiny model, called `tiny`: the Qwen2 of the fixtures. */
import { readFileSync } from 'node:fs';
import { PageModels } from '../../../workers/models/pageModels';

export const TINY = 'tests/fixtures/models/qwen2';
const files = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
/** What its models.json holds. */
export const listed = [
  {
    id: 'tiny',
    name: 'Tiny',
    family: 'Qwen2',
    folder: 'models/tiny',
    files,
    parameters: 1,
    contextLength: 64,
  },
];

/** `flip` is a byte of the weights that is another one than in the fixture. */
export const tinyPage = (flip: number | null = null): PageModels =>
  new PageModels(new URL('http://page/demo/'), ({ pathname }) => {
    const name = pathname.split('/').at(-1) ?? '';
    if (name === 'models.json') return Promise.resolve(bytesOf(JSON.stringify(listed)));
    const bytes = new Uint8Array(readFileSync(`${TINY}/${name}`));
    if (flip !== null && name === 'model.safetensors') bytes[flip] = (bytes[flip] ?? 0) ^ 1;
    return Promise.resolve(bytes.buffer);
  });

/** A page without models. */
export const emptyPage = (): PageModels =>
  new PageModels(new URL('http://page/demo/'), () => Promise.resolve(bytesOf('[]')));

const bytesOf = (text: string) => new TextEncoder().encode(text).buffer;
