/**
 * A thousand steps of a tiny model through the real training loop: neither time nor memory may grow, and no buffer be made. A machine
 * that others use is not equally fast for that long, so early steps and late ones take turns with the steps of a second run, which stands
 * still in between: what a step takes is held against what that run's took beside it. What slows both down shows in the times by the
 * clock alone.
 */
import { loraTrainable } from '../adapter/lora';
import { specOf } from '../adapter/spec';
import { allocatedBytes } from '../gpu/memory';
import { countBuffers } from '../gpu/countBuffers';
import { restful } from '../gpu/rest';
import { emptyPool } from '../gpu/tensors';
import { loadWeights } from '../model/loadWeights';
import { disposeWeights } from '../model/weights';
import { defaultSettings } from '../protocol/settings';
import { planRun } from '../training/plan';
import { trainRun } from '../training/run';
import type { Milliseconds } from '../units';
import type { Bench } from './bench';
import { smallQwen } from './shapes';
import { randomRows, syntheticSource } from './synthetic';
import { ratioError, ratioIn, timingOf, type Round } from './timing';

/** So large that the device takes most of a step, not the page that hands it work. */
const SIZE = { hidden_size: 256, intermediate_size: 768 };
const LENGTH = 128;
const STEPS = 1000;
/** Steps after which pipelines exist, the pool has seen every size and the JavaScript engine has compiled what every step runs. */
const SETTLED = 100;
/** Steps of a run before the other's turn: few, so that both meet the same machine. */
const TURN = 2;
/** Early steps, and late ones, of each run. */
const COMPARED = 400;

export async function drift(bench: Bench): Promise<void> {
  bench.now('a thousand steps of a tiny model');
  emptyPool();
  const held = allocatedBytes();
  const run = await begin(bench);
  let second: Paced | null = null;
  const buffers = countBuffers();
  try {
    await run.advance(SETTLED);
    const alone = allocatedBytes() - held;
    second = await begin(bench);
    await second.advance(SETTLED);
    const [bytesBefore, madeBefore] = [allocatedBytes() - held, buffers.made];
    const atFirst = await inTurn(run, second);
    await run.advance(STEPS - SETTLED - COMPARED);
    const atLast = await inTurn(run, second);
    const [bytesAfter, made] = [allocatedBytes() - held, buffers.made - madeBefore];
    const [first, last] = [timingOf(atFirst, 0), timingOf(atLast, 0)];
    const fraction = ratioIn(atFirst, 0, 1) / ratioIn(atLast, 0, 1);
    const error = Math.hypot(ratioError(atFirst, 0, 1), ratioError(atLast, 0, 1)) * fraction;
    const short = (value: number) => Number(value.toPrecision(3));
    bench.emit({
      name: 'drift',
      what: `A step of a tiny model after ${STEPS} of them`,
      shape: `T ${LENGTH}, 2 layers of ${SIZE.hidden_size}`,
      device: bench.device,
      ours: { ...last, bytes: alone + bytesAfter - bytesBefore },
      limit: {
        what: `what it took after ${SETTLED}, by a second run in turns that stands still in between`,
        value: last.ms * fraction,
        unit: 'ms',
        fraction,
      },
      peers: [],
      details: {
        'standard error of that share, %': short(100 * error),
        [`median after ${SETTLED} steps, by the clock, ms`]: short(first.ms),
        [`bytes of both runs after ${SETTLED} steps of each`]: bytesBefore,
        'bytes of both runs at the end': bytesAfter,
        'buffers made between them': made,
      },
    });
  } finally {
    buffers.stop();
    await run.end();
    await second?.end();
  }
}

/** Steps of both, a few at a time: forth in one round and back in the next, so that none always follows the other. */
async function inTurn(...runs: [Paced, Paced]): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let done = 0; done < COMPARED; done += TURN) {
    const order = done % (2 * TURN) === 0 ? runs : [...runs].reverse();
    for (const run of order) await run.advance(TURN);
    rounds.push(runs.map(({ times }) => times.slice(-TURN)));
  }
  return rounds;
}

/** A run that takes a step only when it is told to. */
interface Paced {
  /** Of each step so far. */
  times: Milliseconds[];
  /** → when so many more steps have ended. */
  advance(steps: number): Promise<void>;
  /** Stops it and gives its memory back. */
  end(): Promise<void>;
}

async function begin(bench: Bench): Promise<Paced> {
  const config = smallQwen({ ...SIZE, num_hidden_layers: 2 });
  const rows = randomRows(8, LENGTH, config.vocab);
  const maxSteps = 2 * STEPS;
  const settings = {
    ...defaultSettings,
    ...{ weightFormat: 'f32' as const, rank: 8, alpha: 16, maxSteps, epochs: maxSteps },
    ...{ batchExamples: 1, sequenceLength: LENGTH, evaluateEvery: 10 * maxSteps },
  };
  const weights = await loadWeights(config, syntheticSource(config), 'f32');
  const trainable = loraTrainable(config, weights, specOf(settings, config), { seed: 1 });
  const times: Milliseconds[] = [];
  let allowed = 0;
  let stopped = false;
  let goOn = (): void => undefined;
  let paused = (): void => undefined;
  const run = trainRun({
    ...{ config, trainable, settings, train: rows, from: null },
    validation: { ...rows, rows: 0, examples: 0, supervised: 0 },
    plan: planRun(config, settings, rows, { backend: 'webgpu', device: bench.device }),
    control: {
      get stopRequested() {
        return stopped || bench.patience.signal.aborted;
      },
      // one more step is under way whenever this is asked
      get pauseRequested() {
        return times.length >= allowed - 1;
      },
      resumed: () =>
        new Promise((resolve) => {
          goOn = resolve;
          paused();
        }),
    },
    emit: (event) => {
      if (event.type === 'step') times.push(event.report.stepTime);
    },
    save: async () => undefined,
    waitFor: restful(),
    check: bench.check,
  });
  const pause = () =>
    Promise.race([new Promise<void>((resolve) => (paused = resolve)), run.then(() => undefined)]);
  await pause();
  return {
    times,
    advance: async (steps) => {
      allowed += steps;
      const reached = pause();
      goOn();
      await reached;
      bench.patience.signal.throwIfAborted();
    },
    end: async () => {
      stopped = true;
      goOn();
      await Promise.allSettled([run]);
      trainable.flat.dispose();
      disposeWeights(weights);
    },
  };
}
