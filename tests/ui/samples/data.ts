/** A file as the dataset worker reports it, and the lessons of the page. */
import type { DatasetReport, PreparedReport, TokenView } from '../../../src/protocol/datasetApi';
import type { PackedRows, TrainingData } from '../../../src/protocol/data';
import { question } from './scores';

export const report: DatasetReport = {
  name: 'records.jsonl',
  bytes: 48_213,
  shape: 'Chat messages (OpenAI, ChatML)',
  container: 'JSON Lines',
  rows: 402,
  kept: 400,
  rejected: [
    { line: 17, reason: 'The answer is empty.', excerpt: '{"messages":[{"role":"user","content":"Tom has…' },
    {
      line: 230,
      reason: 'Not JSON: unexpected end of the line at column 31.',
      excerpt: '{"messages":[{"role":"user","co',
    },
  ],
  warnings: [],
  preview: [
    [
      'Nina has six blue cups in the kitchen.',
      'who: Nina | what: cups | colour: blue | number: 6 | where: kitchen',
    ],
    ['Tom keeps two red hats in the hall.', 'who: Tom | what: hats | colour: red | number: 2 | where: hall'],
    [
      'In the garden Ada has nine white chairs.',
      'who: Ada | what: chairs | colour: white | number: 9 | where: garden',
    ],
    [
      'Omar put four green pens on the desk.',
      'who: Omar | what: pens | colour: green | number: 4 | where: desk',
    ],
    [
      'Lea found one black <b>shoe</b> in the attic.',
      'who: Lea | what: shoe | colour: black | number: 1 | where: attic',
    ],
  ].map(([question, answer]) => [
    { role: 'user', content: question ?? '' },
    { role: 'assistant', content: answer ?? '' },
  ]),
  plain: false,
};

export const prepared: PreparedReport = {
  split: {
    rule: '70/15/15',
    seed: 42,
    train: 280,
    validation: 60,
    test: 60,
    reason:
      '400 rows: 70 % to learn from, 15 % to watch, 15 % to score. Rows with the same question stay together.',
  },
  tooLong: 0,
  trainRows: 94,
  examplesPerRow: 2.98,
  supervised: 6440,
  longest: 61,
  median: 42,
  warnings: [],
  testIsValidation: false,
};

export const tokens: TokenView[] = [
  ['<|user|>', 'special'],
  ['\n', 'special'],
  ...'Nina| has| six| blue| cups| in| the| kitchen|.'.split('|').map((text) => [text, 'read']),
  ['<|assistant|>', 'special'],
  ['\n', 'special'],
  ...'who|:| Nina| || what|:| cups| |'.split('|').map((text) => [text === '' ? ' |' : text, 'learned']),
  ['<|end|>', 'end-mark'],
].map(([text, fate], id) => ({ text: text ?? '', id, fate: fate as TokenView['fate'] }));

const packed: PackedRows = {
  length: 128,
  rows: 0,
  ids: new Int32Array(),
  targets: new Int32Array(),
  documentStart: new Int32Array(),
  examples: 0,
  supervised: 0,
};
const { reason: _reason, ...split } = prepared.split;
export const data: TrainingData = {
  name: report.name,
  hash: '00',
  train: packed,
  validation: packed,
  test: [],
  testIsValidation: false,
  split,
};

export const lessons = [
  {
    id: 'records',
    title: 'Turn sentences into records',
    summary:
      'The model learns a format: it reads a sentence and answers with the same five fields every time.',
    file: 'records.jsonl',
    question,
    settings: { learningRate: 0.003, epochs: 6, sequenceLength: 128, batchExamples: 12 },
  },
  {
    id: 'shop-messages',
    title: 'Sort messages to a shop',
    summary: 'The model learns to classify: order, return, problem, question or thanks.',
    file: 'shop-messages.jsonl',
    question: 'Please send me four yellow pears.',
    settings: { learningRate: 0.003, epochs: 4, sequenceLength: 128 },
  },
];
export const get = async (path: string): Promise<Response> =>
  path.endsWith('lessons.json') ? Response.json(lessons) : new Response('{"prompt":"a","completion":"b"}\n');
