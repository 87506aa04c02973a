/**
 * Writes everything of public/demo but the weights: the tokenizer and config of each base model, the lessons, and the two
 * lists that the app reads. `node scripts/run.mjs scripts/demo-models/make.ts`; the same files every time.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../src/model/config';
import { parameterCount } from '../../src/model/shapes';
import { firstDocuments } from './corpus';
import { FAMILIES } from './families';
import { makeLessons } from './lessons';
import { END_OF_TEXT, makeTokenizer, TURN_END } from './tokenizerFiles';
import { lessonCards } from './lessonCards';

/** Enough to count pairs of letters well. */
const TOKENIZER_DOCUMENTS = 20_000;

const folder = 'public/demo';
const write = (path: string, text: string) => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const json = (value: unknown, indent?: number) => `${JSON.stringify(value, null, indent)}\n`;

const { tokenizer, config } = makeTokenizer(firstDocuments(TOKENIZER_DOCUMENTS));
for (const { id, config: model } of FAMILIES) {
  write(`models/${id}/config.json`, json(model, 2));
  write(`models/${id}/tokenizer.json`, json(tokenizer));
  write(`models/${id}/tokenizer_config.json`, json(config, 2));
  const generation = { eos_token_id: [TURN_END, END_OF_TEXT], pad_token_id: END_OF_TEXT };
  write(`models/${id}/generation_config.json`, json(generation, 2));
}
const files = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'generation_config.json',
  'model.safetensors',
];
const list = FAMILIES.map(({ id, name, family, config: raw }) => {
  const model = readConfig(raw);
  const { contextLength } = model;
  return {
    id,
    name,
    family,
    folder: `models/${id}`,
    files,
    parameters: parameterCount(model),
    contextLength,
  };
});
write('models/models.json', json(list, 2));

for (const { file, rows } of makeLessons())
  write(file, rows.map((messages) => JSON.stringify({ messages }) + '\n').join(''));
write('lessons.json', json(lessonCards, 2));
