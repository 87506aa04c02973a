/**
 * An opened dataset becomes training data for one model and one set of settings: masked, divided, packed, with a report of all
 * that was left out. Runs in the dataset worker; knows nothing of threads.
 */
import type { Example, Part } from '../dataset/example';
import type { OpenedDataset } from '../dataset/open';
import { DataProblem } from '../dataset/problem';
import { splitExamples, type Split } from '../dataset/split';
import type { PrepareProgress, PrepareRequest, PreparedReport, TokenView } from '../protocol/datasetApi';
import type { TrainingData } from '../protocol/data';
import { findings } from './findings';
import { openFormat, type ChatFormat } from './format';
import { mannerOf } from './manner';
import { maskLesson, type MaskedRow } from './mask';
import { cutLong, pack } from './pack';
import { questionOf } from './question';
import { TemplateRefusal } from './jinja';
import { viewRows } from './view';

export interface PreparedData {
  report: PreparedReport;
  /** How kept row `index` of the file is seen. */
  view(index: number): TokenView[];
  /** Packs afresh, so that the arrays may be handed over. */
  take(): TrainingData;
}

/** A row that can be trained on, with its documents. */
interface Usable {
  example: Example;
  documents: MaskedRow[];
}

export async function prepareData(
  dataset: OpenedDataset,
  { assets, settings }: PrepareRequest,
  /** Called before each row: one that never ends is known by its silence. */
  tell: (progress: PrepareProgress) => void = () => undefined,
): Promise<PreparedData> {
  if (dataset.examples.length === 0) {
    throw new DataProblem(
      `None of the ${dataset.report.rows} rows of ${dataset.name} can be used. ${whyFirst(dataset)}`,
    );
  }
  const format = openFormat(assets);
  const length = settings.sequenceLength;
  const refused: { line: number; reason: string }[] = [];
  const rows = dataset.examples.length;
  const masked = dataset.examples.map((example, done) => {
    tell({ stage: 'tokens', done, rows, line: example.line });
    return maskExample(format, example, settings.mask, refused);
  });
  tell({ stage: 'tokens', done: rows, rows, line: null });
  const { usable, tooLong, lengths, pieces } = fit(dataset.examples, masked, length);
  if (usable.length === 0) throw new DataProblem(whyNothingFits(lengths, length, refused));
  const split = await splitExamples(
    usable.map(({ example }) => example),
    settings.seed,
    (done, of) => tell({ stage: 'split', done, rows: of, line: null }),
  );
  const documentsOf = (part: Part): MaskedRow[] =>
    split.parts[part].flatMap((i) => usable[i]?.documents ?? []);
  const take = (): TrainingData => ({
    name: dataset.name,
    hash: dataset.hash,
    train: pack(documentsOf('train'), length),
    validation: pack(documentsOf('validation'), length),
    test: split.parts[split.testIsValidation ? 'validation' : 'test'].flatMap((i) => {
      const question = questionOf(format, usable[i]?.example.lesson);
      return question === null ? [] : [question];
    }),
    testIsValidation: split.testIsValidation,
    split: splitCounts(split, settings.seed),
    manner,
  });
  // told of between its parts too: a long file would else be silent for long
  const packing = () => tell({ stage: 'pack', done: 0, rows, line: null });
  packing();
  const manner = mannerOf(
    format,
    usable.map(({ example }) => example),
  );
  const train = pack(documentsOf('train'), length);
  packing();
  const sorted = lengths.sort((a, b) => a - b);
  return {
    report: {
      split: { ...splitCounts(split, settings.seed), reason: split.reason },
      tooLong,
      trainRows: train.rows,
      examplesPerRow: train.examples / train.rows,
      supervised: train.supervised,
      longest: sorted.at(-1) ?? 0,
      median: sorted[sorted.length >> 1] ?? 0,
      warnings: [
        ...findings(format, dataset.examples, masked.flat()),
        ...lengthWarnings(tooLong, pieces, lengths, length),
        ...refusals(refused),
        ...split.warnings,
      ],
      testIsValidation: split.testIsValidation,
    },
    view: (index) => {
      const documents = masked[index];
      if (documents === undefined)
        throw new DataProblem(`There is no row ${index + 1}; the file has ${masked.length} usable rows.`);
      return viewRows(format, documents, length, dataset.examples[index]?.lesson.kind === 'text');
    },
    take,
  };
}

/** The documents of a row; none where the template refuses it, which is noted. */
function maskExample(
  format: ChatFormat,
  example: Example,
  rule: PrepareRequest['settings']['mask'],
  refused: { line: number; reason: string }[],
): MaskedRow[] {
  try {
    return maskLesson(format, example.lesson, rule);
  } catch (error) {
    if (!(error instanceof TemplateRefusal) && !(error instanceof DataProblem)) throw error;
    refused.push({ line: example.line, reason: error.message });
    return [];
  }
}

/** Keeps what fits into a row. Text is cut into pieces; anything else that is longer is left out and counted. */
function fit(
  examples: readonly Example[],
  masked: readonly MaskedRow[][],
  length: number,
): { usable: Usable[]; tooLong: number; lengths: number[]; pieces: number } {
  const usable: Usable[] = [];
  const lengths: number[] = [];
  let tooLong = 0;
  let pieces = 0;
  examples.forEach((example, i) => {
    const documents: MaskedRow[] = [];
    for (const document of masked[i] ?? []) {
      lengths.push(document.ids.length);
      if (document.ids.length <= length) documents.push(document);
      else if (example.lesson.kind === 'text') {
        pieces++;
        documents.push(...cutLong(document, length));
      } else tooLong++;
    }
    const learning = documents.filter((document) => document.learn.includes(1));
    if (learning.length > 0) usable.push({ example, documents: learning });
  });
  return { usable, tooLong, lengths, pieces };
}

function splitCounts(split: Split, seed: number): TrainingData['split'] {
  const { train, validation, test } = split.parts;
  return { rule: split.rule, seed, train: train.length, validation: validation.length, test: test.length };
}

function whyFirst(dataset: OpenedDataset): string {
  const first = dataset.report.rejected[0];
  return first === undefined ? '' : `Line ${first.line}: ${first.reason}`;
}

function whyNothingFits(
  lengths: readonly number[],
  length: number,
  refused: { line: number; reason: string }[],
): string {
  const [first] = refused;
  if (lengths.length === 0 && first !== undefined) {
    return `The model’s chat template accepts none of the rows. Line ${first.line}: ${first.reason}`;
  }
  const shortest = lengths.reduce((least, each) => Math.min(least, each), Infinity);
  if (shortest <= length) return 'No row holds anything to learn under this mask.';
  return `All rows are longer than ${length} tokens; the shortest has ${shortest}. Set the sequence length to ${Math.ceil(shortest / 32) * 32}.`;
}

function lengthWarnings(
  tooLong: number,
  pieces: number,
  lengths: readonly number[],
  length: number,
): string[] {
  const warnings: string[] = [];
  const longest = lengths.reduce((most, each) => Math.max(most, each), 0);
  if (tooLong > 0)
    warnings.push(
      `${tooLong} rows are longer than ${length} tokens and were left out; the longest has ${longest}.`,
    );
  if (pieces > 0)
    warnings.push(
      `${pieces} texts are longer than ${length} tokens and were cut into pieces that follow each other.`,
    );
  return warnings;
}

function refusals(refused: readonly { line: number; reason: string }[]): string[] {
  const [first] = refused;
  if (first === undefined) return [];
  const lines = refused
    .slice(0, 5)
    .map(({ line }) => line)
    .join(', ');
  const more = refused.length > 5 ? ', …' : '';
  return [
    `The chat template refuses ${refused.length} rows (lines ${lines}${more}); they were left out. It says: ${first.reason}`,
  ];
}
