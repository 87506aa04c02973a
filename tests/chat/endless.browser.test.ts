/** Tokenizers whose pattern never ends, in real threads: stopped in time, told in words, and nothing is lost. */
import { describe, expect, it } from 'vitest';
import { assetsFrom } from '../../src/chat/assets';
import { defaultSettings } from '../../src/protocol/settings';
import { connectDataset } from '../../workers/threads/connectDataset';
import { readAssets } from '../../workers/threads/readAssets';
import original from '../fixtures/models/llama/tokenizer.json?raw';

const config = { vocab_size: 384 };
/** The fixture's file with a pattern that tries every way to divide a run of `sign`. */
function endlessOn(sign: string): ReadonlyMap<string, string> {
  const file = JSON.parse(original) as { pre_tokenizer: unknown };
  const pattern = { Regex: `(${sign}+)+$` };
  file.pre_tokenizer = {
    type: 'Sequence',
    pretokenizers: [{ type: 'Split', pattern, behavior: 'Isolated', invert: false }, file.pre_tokenizer],
  };
  return new Map([['tokenizer.json', JSON.stringify(file)]]);
}

describe('a model that comes in', () => {
  it('is refused when its pattern does not end on the probe', async () => {
    const started = performance.now();
    await expect(readAssets(endlessOn('a'), config, 4000)).rejects.toThrow(
      /pattern takes too long.*did not end on a short text within 4 s and was stopped/,
    );
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it('is read in that thread as it would be here', async () => {
    const files = new Map([['tokenizer.json', original]]);
    expect(await readAssets(files, config)).toEqual(assetsFrom(files, config));
  });

  it('and a broken file is refused with its own reason', async () => {
    const broken = new Map([['tokenizer.json', original.replace(/"a": \d+/, '"a": -1')]]);
    await expect(readAssets(broken, config)).rejects.toThrow(/"a" has the id -1, which is no whole number/);
  });
});

describe('rows on which a tokenizer does not end', () => {
  const settings = { ...defaultSettings, sequenceLength: 64 };
  const rows = (last: string) =>
    [...Array.from({ length: 200 }, (_, i) => `the cat ${i}`), last].map(
      (text) => `${JSON.stringify({ prompt: text, completion: 'sat' })}\n`,
    );
  const bytesOf = (last: string) => new TextEncoder().encode(rows(last).join('')).buffer;

  it('end the thread and not the page; the file is open again, and another model can be chosen', async () => {
    let begun = 0;
    const start = () => {
      begun++;
      return new Worker(new URL('../../workers/dataset.ts', import.meta.url), { type: 'module' });
    };
    const dataset = connectDataset(start, 3000);
    const opened = await dataset.open({ name: 'a.jsonl', bytes: bytesOf(`${'q'.repeat(60)}!`) });
    expect(opened).toMatchObject({ ok: true, value: { kept: 201 } });
    // the probe has no run of q
    const assets = assetsFrom(endlessOn('q'), config);
    const failed = await dataset.prepare({ assets, settings });
    expect(failed).toMatchObject({ ok: false, failure: { kind: 'bad-input' } });
    expect(failed.ok ? '' : failed.failure.message).toMatch(
      /pattern takes too long.*row at line \d+ or soon after it within 3 s.*still open and nothing is lost/,
    );
    expect(begun).toBe(2);
    const sound = assetsFrom(new Map([['tokenizer.json', original]]), config);
    expect(await dataset.prepare({ assets: sound, settings })).toMatchObject({ ok: true });
    expect((await dataset.view(200)).ok).toBe(true);
    expect(begun).toBe(2);
  });
});
