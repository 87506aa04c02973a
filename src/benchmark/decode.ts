/** New tokens of a whole model, one prompt at a time and several at once, beside the rate of copying and beside peers that decode. */
import { baseModel } from '../adapter/baseModel';
import type { ModelConfig } from '../model/config';
import type { Runnable } from '../model/forward';
import { generate } from '../model/generate';
import { loadWeights } from '../model/loadWeights';
import { disposeWeights } from '../model/weights';
import type { PeerFigure } from '../protocol/benchmark';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Milliseconds } from '../units';
import { judge, limitOf, onProcessor, type Bench, type Judged } from './bench';
import { qwen, smallQwen } from './shapes';
import { matrixBytes, randomRows, syntheticSource } from './synthetic';
import type { DecodeTask } from './task';
import { ratioIn, time, timingOf, type Round, type Work } from './timing';
import { withModel } from './wholeModel';

const PROMPT = 16;
/** The first token is the prompt's, the next is built, and with the two after it the device is busy. */
const BEFORE = 4;
/** Tokens that are timed as one: on a graphics card several are under way at once, and come together. */
const TOGETHER = 4;
/** Prompts at once, and how often each number has its turn. */
const PROMPTS = [1, 8];
const TURNS = 5;
const GREEDY = { temperature: 0, topP: 1, random: () => 0, stopIds: [] };

export async function decode(bench: Bench): Promise<void> {
  const config = qwen();
  const what = `New tokens, greedy, after a prompt of ${PROMPT}; the mean time of one in ${TOGETHER}`;
  await withModel(bench, 'decode', what, async (weights, format) => {
    const model = baseModel(config, weights);
    /** Of each number of prompts, every peer. */
    const contests: Judged[][] = [];
    try {
      for (const sequences of PROMPTS) contests.push(await judgePeers(bench, model, sequences, format));
      const works = contests.flatMap((peers) => peers.flatMap(({ work }) => work ?? []));
      const rounds = await tokensInTurns(bench, model, works);
      bench.check();
      const bytes = matrixBytes(config, format);
      PROMPTS.forEach((sequences, index) => {
        const of = index + 1;
        const timing = timingOf(rounds, of);
        const figureOf = ({ work, ...judged }: Judged): PeerFigure => {
          if (!work) return { ...judged, ms: null, ratio: null };
          const at = 1 + PROMPTS.length + works.indexOf(work);
          return { ...judged, ms: timingOf(rounds, at).ms, ratio: ratioIn(rounds, at, of) };
        };
        bench.emit({
          ...{ name: 'decode', what, shape: `${sequences} at once, ${format}`, device: bench.device },
          ours: { ...timing, bytes, tokensPerSecond: (1000 * sequences) / timing.ms },
          limit: limitOf({ probe: bench.limits.copy, amount: bytes }, rounds, { of, at: 0 }),
          peers: (contests[index] ?? []).map(figureOf),
          ...(index > 0 && {
            details: { 'times the tokens of one prompt': sequences / ratioIn(rounds, of, 1) },
          }),
        });
      });
    } finally {
      for (const { work } of contests.flat()) work?.dispose();
    }
  });
}

/** → of each turn: copying, tokens of each number of prompts, and the work of each peer. */
async function tokensInTurns(bench: Bench, model: Runnable, works: readonly Work[]): Promise<Round[]> {
  const brief = async (work: Work) => (await time(work, { ...bench.patience, runs: 3 })).ms;
  const copy = () => brief(bench.limits.copy.work);
  const rounds: Round[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    // a card is awake after it; again after each number of prompts, so that the tokens lie between copies
    const copies = [await copy()];
    const round: Round = [copies];
    const numbers = [...PROMPTS.entries()];
    for (const [index, sequences] of turn % 2 === 0 ? numbers : numbers.reverse()) {
      const times = await timesOfTokens(bench, model, sequences);
      round[index + 1] = meansOf(times.slice(BEFORE), TOGETHER);
      copies.push(await copy());
    }
    for (const work of works) round.push([await brief(work)]);
    rounds.push(round);
  }
  return rounds;
}

/** Every peer's way of making the token after the prompts, where its logits are right. */
async function judgePeers(
  bench: Bench,
  model: Runnable,
  sequences: number,
  format: WeightFormat,
): Promise<Judged[]> {
  const small = decodeTask(smallQwen({ num_hidden_layers: 2 }), sequences, format);
  const task = decodeTask(model.config, sequences, format);
  // made once, and only if a peer decodes: neither is cheap
  const truth = onceWanted(async () => [await onProcessor(() => logitsOf(small))]);
  const expected = onceWanted(async () => [await logitsAfter(model, promptsOf(task))]);
  const judged: Judged[] = [];
  for (const peer of bench.peers) {
    bench.patience.signal.throwIfAborted();
    judged.push(await judge(peer, { small, task }, { truth, expected }));
    bench.check();
  }
  return judged;
}

function onceWanted<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}

export function decodeTask(config: ModelConfig, sequences: number, format: WeightFormat): DecodeTask {
  const { ids } = randomRows(sequences, PROMPT, config.vocab);
  return { kind: 'decode', config, source: syntheticSource(config), format, sequences, ids };
}

function promptsOf({ sequences, ids }: Pick<DecodeTask, 'sequences' | 'ids'>): Int32Array[] {
  const length = ids.length / sequences;
  return Array.from({ length: sequences }, (_, index) => ids.slice(index * length, (index + 1) * length));
}

/** What is right, on the engine that is running: [sequences, vocab]. */
export async function logitsOf(task: DecodeTask): Promise<Float32Array> {
  const weights = await loadWeights(task.config, task.source, task.format);
  try {
    return await logitsAfter(baseModel(task.config, weights), promptsOf(task));
  } finally {
    disposeWeights(weights);
  }
}

/** [prompts, vocab] */
async function logitsAfter(model: Runnable, prompts: readonly Int32Array[]): Promise<Float32Array> {
  let logits: Float32Array = new Float32Array();
  const onLogits = (made: Float32Array) => void (logits = made);
  for await (const _ of generate(model, prompts, { ...GREEDY, maxTokens: 1, onLogits }));
  return logits;
}

/** How long after the one before it each token came. */
async function timesOfTokens(bench: Bench, model: Runnable, sequences: number): Promise<Milliseconds[]> {
  const times: Milliseconds[] = [];
  const { ids } = randomRows(sequences, PROMPT, model.config.vocab);
  const options = { ...GREEDY, maxTokens: BEFORE + 4 * TOGETHER };
  let last = performance.now();
  for await (const _ of generate(model, promptsOf({ sequences, ids }), options)) {
    bench.patience.signal.throwIfAborted();
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times;
}

function meansOf(times: readonly Milliseconds[], count: number): Milliseconds[] {
  const means: Milliseconds[] = [];
  for (let at = 0; at + count <= times.length; at += count)
    means.push(times.slice(at, at + count).reduce((sum, one) => sum + one, 0) / count);
  return means;
}
