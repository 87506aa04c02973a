/** Preference and KTO rows: recognised by their keys, so that the refusal can say what they are. */
import { field, isRow, type Row } from '../record';
import type { RefusedShape } from './shape';

const PAIRS =
  'Its rows hold a better and a worse answer, which preference training (DPO, ORPO) needs; only supervised training is available. Keep the better answer of each row as “messages” or as “question” and “answer”.';
const SCORED =
  'Its rows hold an answer with a thumbs-up or thumbs-down, which KTO training needs; only supervised training is available. Keep the good answers as “messages” or as “question” and “answer”.';

const has = (row: Row, ...keys: string[]): boolean => keys.every((key) => Object.hasOwn(row, key));

export const refusedShapes: RefusedShape[] = [
  {
    name: 'Preference pairs (OpenAI)',
    matches: (row) => isRow(field(row, 'input')) && has(row, 'preferred_output', 'non_preferred_output'),
    why: PAIRS,
  },
  {
    name: 'Preference pairs (chosen and rejected)',
    matches: (row) => has(row, 'chosen', 'rejected'),
    why: PAIRS,
  },
  {
    name: 'Preference pairs (chosen and rejected responses)',
    matches: (row) => has(row, 'chosen_response', 'rejected_response'),
    why: PAIRS,
  },
  {
    name: 'KTO (answers with a label)',
    matches: (row) =>
      (typeof field(row, 'label') === 'boolean' &&
        (has(row, 'prompt', 'completion') || has(row, 'messages'))) ||
      has(row, 'conversations', 'kto_tag'),
    why: SCORED,
  },
  {
    name: 'Axolotl segments',
    matches: (row) => Array.isArray(field(row, 'segments')),
    why: 'Rows of hand-masked segments cannot be trained here. Write them as “prompt” and “completion”.',
  },
];
