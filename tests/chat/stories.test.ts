/** The real pretrained checkpoint without a chat template: its prompts and training texts, and real files prepared for it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openFormat } from '../../src/chat/format';
import { maskLesson } from '../../src/chat/mask';
import { prepareData } from '../../src/chat/prepare';
import { promptIds } from '../../src/chat/prompt';
import { TextStream } from '../../src/chat/stream';
import { openDataset } from '../../src/dataset/open';
import { defaultSettings } from '../../src/protocol/settings';
import { assetsIn, readShared, SHARED, sharedAbsent } from './assets';

const assets = () => assetsIn(new URL('models/stories260K/', SHARED));

describe('stories260K', () => {
  it.skipIf(sharedAbsent)('a prompt is the ids of the reference, with BOS and without a newline', () => {
    const { tokenizer, template } = openFormat(assets());
    const { prompt, prompt_ids, new_ids } = readShared('models/stories260K/greedy.json') as Record<
      string,
      never
    > & {
      prompt: string;
      prompt_ids: number[];
      new_ids: number[];
    };
    expect(template).toBeNull();
    expect(Array.from(promptIds(tokenizer, template, [{ role: 'user', content: prompt }]))).toEqual(
      prompt_ids,
    );
    const stream = new TextStream(tokenizer, prompt_ids);
    const text = new_ids.map((id) => stream.push(id)).join('') + stream.flush();
    const whole = tokenizer.decode([...prompt_ids, ...new_ids]);
    expect(whole.endsWith(text)).toBe(true);
    expect(`${prompt}${text}`).toBe(whole.replace(/^<s>\s?/, ''));
  });

  it.skipIf(sharedAbsent)('training texts are the ids that the reference trained on', () => {
    const format = openFormat(assets());
    const oracle = readShared('models/stories260K-lora-zork/result.json') as {
      texts: string[];
      input_ids: number[][];
      attention_mask: number[][];
    };
    oracle.texts.forEach((text, i) => {
      const kept = (oracle.attention_mask[i] ?? []).filter((bit) => bit === 1).length;
      const [row] = maskLesson(format, { kind: 'text', text }, 'assistant');
      expect(Array.from(row?.ids ?? [])).toEqual(oracle.input_ids[i]?.slice(0, kept));
    });
  });

  it.skipIf(sharedAbsent).each(['gsm8k_train_1000.jsonl', 'banking77_train.csv', 'c4_text_200.jsonl'])(
    '%s is prepared',
    async (name) => {
      const bytes = new Uint8Array(readFileSync(new URL(`datasets/${name}`, SHARED)));
      const dataset = await openDataset(name, bytes);
      const prepared = await prepareData(dataset, {
        assets: assets(),
        settings: { ...defaultSettings, sequenceLength: 512 },
      });
      const data = prepared.take();
      expect(data.train.supervised).toBeGreaterThan(1000);
      expect(data.train.ids.every((id) => id >= 0 && id < 512)).toBe(true);
      expect(
        prepared.report.split.train + prepared.report.split.validation + prepared.report.split.test,
      ).toBeGreaterThan(0.5 * dataset.report.kept);
    },
  );
});
