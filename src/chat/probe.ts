/** Texts on which a tokenizer is tried before anything of a person is given to it. Whoever tries it sets a time limit. */
import { DataProblem } from '../dataset/problem';
import type { ChatTokenizer } from './tokenizer';

/** Long enough that a pattern which tries all ways to divide a run never ends on it. */
const RUN = 64;
const SIGNS = ['a', 'A', 'z', 'é', '中', 'я', '0', '9', ' ', '\t', '\n', '.', '-', '_', "'", '!', '🙂'];

/** Runs of one sign, of two in turn, and of plain words, each broken off by a sign of another kind. */
const PROBE = [
  ...SIGNS.map((sign) => `${sign.repeat(RUN)}\u0001`),
  ...['ab', 'a ', 'a1', '1.', ' \n', 'aA'].map((pair) => `${pair.repeat(RUN / 2)}\u0001`),
  "The cat sat, 1234 times; she'd said so (twice)…\r\n\r\n",
].join('\n');

/** Ids of the probe lie within the embedding. Throws what a person can mend; a pattern without end does not return. */
export function probe(tokenizer: ChatTokenizer, vocabSize: number): void {
  let ids: number[];
  try {
    ids = tokenizer.encodeText(PROBE);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataProblem(`tokenizer.json fails on ordinary text: ${reason}.`, { cause });
  }
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (wrong !== undefined)
    throw new DataProblem(
      `tokenizer.json makes the id ${wrong} of ordinary text; the model has ${vocabSize} embedding rows.`,
    );
}
