/** The jobs that touch several parts: the lesson from press to score, stop, going on, and what goes wrong on the way. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultSettings } from '../../src/protocol/settings';
import { Session } from '../../src/state/session.svelte';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { data } from './samples/data';
import { adapter, evaluations, models as fakes, plan, run, steps } from './samples/run';
import { scores } from './samples/scores';
import { kept } from './fakeModels';
import { around } from './mountable';

let trainer: FakeTrainer;
let session: Session;
const make = (dataset = fakeDataset()): Session => new Session(around({ trainer, dataset }));
const settle = (): Promise<void> => vi.waitFor(() => expect(trainer.calls.length).toBeGreaterThan(0));
const finish = (): void => {
  trainer.say({ type: 'planned', runId: 'r1', plan });
  for (const report of steps(60)) trainer.say({ type: 'step', report });
  for (const report of evaluations(60)) trainer.say({ type: 'evaluated', report });
  trainer.say({
    type: 'finished',
    reason: 'completed',
    adapterId: 'a1',
    best: evaluations(60).at(-1) ?? null,
    peakBytes: 9,
    seconds: 27,
  });
  trainer.kept = [adapter];
  trainer.known = [run];
  trainer.end();
};

beforeEach(async () => {
  trainer = new FakeTrainer();
  session = make();
  await session.load();
});
afterEach(() => vi.useRealTimers());

describe('the lesson', () => {
  it('opens, packs, trains and scores with no further order', async () => {
    const lesson = session.lessons.list[0];
    if (lesson === undefined) throw new Error('no lesson');
    const whole = session.trainLesson(lesson);
    await settle();
    expect(session.run.subject?.settings.learningRate).toBe(0.003);
    expect(session.result).toBeNull();
    finish();
    expect(session.result).toBeNull();
    await whole;
    expect(session.result).toMatchObject({
      modelId: 'tiny-llama',
      steps: 60,
      lossFirst: steps(1)[0]?.loss,
      evalLossBest: evaluations(60).at(-1)?.loss,
      exactMatchBase: scores.base.share,
      exactMatchTuned: 0.95,
      rows: 60,
      seconds: 27,
      adapterId: 'a1',
    });
  });

  it.each([
    ['that is wrong', 'epochs', 0],
    ['that is right', 'sequenceLength', 256],
  ] as const)('is trained as it is, whatever an edit %s left in the form', async (_, field, value) => {
    const [lesson] = session.lessons.list;
    if (lesson === undefined) throw new Error('no lesson');
    session.form.put(field, value);
    const whole = session.trainLesson(lesson);
    await settle();
    expect(session.run.subject?.settings).toEqual({
      ...{ ...defaultSettings, ...lesson.settings },
      weightFormat: session.form.base.weightFormat,
    });
    expect(session.form.draft[field]).toBe(value);
    finish();
    await whole;
    // what stands in the form is packed afresh, not taken for what was trained on
    const planned = vi.spyOn(session.planning, 'refresh');
    session.form.put('epochs', 2);
    await session.settle();
    expect(session.data.packed).toContain(`,${session.form.settings?.sequenceLength},`);
    expect(planned.mock.calls[0]?.[1].sequenceLength).toBe(session.form.settings?.sequenceLength);
  });

  it('opened by hand is trained with what was edited in its settings', async () => {
    const [lesson] = session.lessons.list;
    if (lesson === undefined) throw new Error('no lesson');
    await session.openLesson(lesson);
    session.form.put('rank', 4);
    const whole = session.train();
    await settle();
    expect(session.run.subject?.settings).toMatchObject({ rank: 4, epochs: 6, sequenceLength: 128 });
    finish();
    await whole;
  });

  it('keeps a step limit the person set before', async () => {
    session.form.put('maxSteps', 7);
    const [lesson] = session.lessons.list;
    if (lesson === undefined) throw new Error('no lesson');
    await session.openLesson(lesson);
    expect(session.form.settings).toMatchObject({ maxSteps: 7, epochs: 6 });
  });
});

describe('a run', () => {
  it('stop is told to the trainer once, however often it is pressed', async () => {
    await session.openFile(new File(['x'], 'x.jsonl'));
    const whole = session.train();
    await settle();
    await Promise.all([session.job.stop(), session.job.stop(), session.job.stop()]);
    expect(trainer.calls.filter((call) => call === 'stop')).toHaveLength(1);
    finish();
    await whole;
    expect(session.run.phase).toBe('finished');
  });

  it('whose last event comes after the end of the call is finished and scored all the same', async () => {
    await session.openFile(new File(['x'], 'x.jsonl'));
    const whole = session.train();
    await settle();
    trainer.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    finish();
    await whole;
    expect(session.run.phase).toBe('finished');
    expect(session.result?.exactMatchTuned).toBe(0.95);
  });

  it('on data without questions is over without scores, and that is no failure', async () => {
    trainer.testRows = async () => ok({ rows: [], repeated: 0, testIsValidation: false });
    await session.openFile(new File(['x'], 'x.txt'));
    const whole = session.train();
    await settle();
    finish();
    await whole;
    expect(session.scoring.phase).toBe('unasked');
    expect(session.failure).toBeNull();
    expect(session.result).toMatchObject({ steps: 60, exactMatchBase: null, exactMatchTuned: null, rows: 0 });
  });

  it('that ends without a word is a failure, not a finish', async () => {
    await session.openFile(new File(['x'], 'x.jsonl'));
    const whole = session.train();
    await settle();
    vi.useFakeTimers();
    trainer.end();
    await vi.advanceTimersByTimeAsync(5000);
    await whole;
    expect(session.run.failure?.message).toContain('ended at step 0 without a reason');
    expect(session.result).toBeNull();
  });

  it('is not begun when the rows cannot be packed', async () => {
    session = make(
      fakeDataset({
        prepare: async () => ({
          ok: false,
          failure: { kind: 'bad-input', message: 'No row has an answer.' },
        }),
      }),
    );
    await session.load();
    await session.openFile(new File(['x'], 'x.jsonl'));
    await session.train();
    expect(session.run.phase).toBe('idle');
    expect(session.failure?.message).toBe('No row has an answer.');
    expect(trainer.calls).toEqual([]);
  });

  it('goes on from where it stopped, with its curve', async () => {
    const half = { ...run, status: 'unfinished' as const, step: 24 };
    trainer.known = [half];
    await session.runs.load();
    expect(session.runs.unfinished).toEqual([half]);
    const whole = session.continueRun(half);
    await settle();
    expect(trainer.calls).toEqual(['continueRun']);
    expect(session.run.steps).toHaveLength(24);
    finish();
    await whole;
    expect(session.run.steps).toHaveLength(60);
  });

  it('no longer shows why it failed before once it is asked to go on', async () => {
    const half = { ...run, status: 'unfinished' as const, step: 24 };
    trainer.known = [half];
    session.run.apply({ type: 'failed', failure: { kind: 'internal', message: 'The trainer stopped.' } });
    expect(session.failure?.message).toBe('The trainer stopped.');
    const whole = session.continueRun(half);
    expect(session.failure).toBeNull(); // at once: whoever waits for this run must not see the last one's end
    await settle();
    finish();
    await whole;
    expect(session.run.phase).toBe('finished');
  });

  it('is refused while the dataset worker has nothing to give', async () => {
    session = make(
      fakeDataset({ take: async () => ({ ok: false, failure: { kind: 'bad-input', message: 'Gone.' } }) }),
    );
    await session.load();
    await session.openFile(new File(['x'], 'x.jsonl'));
    await session.train();
    expect(session.run.failure?.message).toBe('Gone.');
  });
});

describe('adapters', () => {
  it('a delete hides it, and can be taken back until its time is over', async () => {
    vi.useFakeTimers();
    trainer.kept = [adapter, { ...adapter, id: 'a2' }];
    await session.adapters.load();
    await session.adapters.remove('a1');
    expect(session.adapters.list.map((one) => one.id)).toEqual(['a2']);
    await session.adapters.undo();
    expect(session.adapters.list.map((one) => one.id)).toEqual(['a1', 'a2']);
    expect(session.adapters.leaving).toBeNull();
    await session.adapters.remove('a1');
    expect(session.adapters.leaving?.id).toBe('a1');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(session.adapters.leaving).toBeNull();
    expect(trainer.calls).toEqual(['remove adapter a1', 'undo adapter a1', 'remove adapter a1']);
  });

  it('one for another base is refused with both sides named', async () => {
    await session.importAdapter([]);
    expect(session.adapters.failure).toMatchObject({
      kind: 'wrong-base',
      expected: 'hidden size 128',
      found: 'hidden size 4,096',
    });
  });
});

describe('the form', () => {
  it('names the limit that was broken and gives no settings', () => {
    session.form.put('sequenceLength', 100);
    expect(session.form.settings).toBeNull();
    expect(session.form.errors.sequenceLength).toContain('multiple of 32');
    session.form.reset('sequenceLength');
    expect(session.form.settings?.sequenceLength).toBe(256);
  });

  it.each([
    ['rank', 0, '0 is too small: 1 is the least.'],
    ['epochs', 4000, '4000 is too large: 1,000 is the most.'],
    ['learningRate', 0, '0 is too small: it must be more than 0.'],
    ['beta1', 1, '1 is too large: it must be less than 1.'],
    ['dropout', 2, '2 is too large: 0.5 is the most.'],
    ['rank', 1.5, '1.5 is not a whole number.'],
    ['rank', null, 'Rank is empty. Enter a number or go back to the default.'],
  ] as const)('says what is wrong with %s %s in plain words', (field, value, words) => {
    session.form.put(field, value);
    expect(session.form.errors[field]).toBe(words);
  });
});

it('two files opened in a row: the later one stays', async () => {
  let first: (() => void) | null = null;
  const slow = fakeDataset();
  const dataset = fakeDataset({
    open: (file) =>
      file.name === 'slow.csv'
        ? new Promise((resolve) => (first = () => resolve(ok({ ...report('slow.csv') }))))
        : slow.open(file).then(() => ok(report(file.name))),
  });
  session = make(dataset);
  const waiting = session.openFile(new File(['x'], 'slow.csv'));
  await vi.waitFor(() => expect(first).not.toBeNull());
  await session.openFile(new File(['x'], 'quick.csv'));
  (first as (() => void) | null)?.();
  expect(await waiting).toBe(false);
  expect(session.data.report?.name).toBe('quick.csv');
});

const report = (name: string) => ({
  name,
  bytes: 1,
  shape: '',
  container: '',
  rows: data.split.train,
  kept: 1,
  rejected: [],
  warnings: [],
  preview: [],
  plain: false,
});

describe('a model that arrives', () => {
  it('is chosen, and the browser is asked to keep what the page stores', async () => {
    const persist = vi.fn(async () => true);
    session = new Session(around({ trainer, browser: { persist, forget: async () => undefined } }));
    await session.load();
    const over = session.download({ repository: 'Qwen/Qwen2.5-0.5B-Instruct', revision: 'main' }, 'q4');
    expect(persist).toHaveBeenCalledTimes(1);
    trainer.models = async () => ok([...fakes, kept]);
    trainer.settle(ok({ state: 'kept', model: kept }));
    expect(await over).toBe(true);
    expect(session.models.selected?.id).toBe('kept-qwen');
  });

  it('brings its weight format into the form, and the next model its own', () => {
    session.form.suit(kept);
    expect(session.form.settings?.weightFormat).toBe('q4');
    expect(session.form.keptFormat).toBe('q4');
    session.form.suit({ weightFormat: null, parameters: 1e6, contextLength: 512 });
    expect(session.form.settings?.weightFormat).toBe('f16');
    session.form.suit({ weightFormat: null, parameters: 1.2e9, contextLength: 512 });
    expect(session.form.settings?.weightFormat).toBe('q4');
    session.form.put('weightFormat', 'q8');
    session.form.suit({ weightFormat: null, parameters: 3e9, contextLength: 512 });
    expect(session.form.settings?.weightFormat).toBe('q8');
  });

  it('sequences longer than it reads are an error at their field', () => {
    session.form.suit({ weightFormat: null, parameters: 1e6, contextLength: 512 });
    session.form.put('sequenceLength', 1024);
    expect(session.form.settings).toBeNull();
    expect(session.form.errors.sequenceLength).toBe('The chosen model reads 512 tokens at most.');
    session.form.suit({ weightFormat: null, parameters: 1e6, contextLength: 1024 });
    expect(session.form.settings?.sequenceLength).toBe(1024);
  });

  it('a change that makes it fit is made in the form', () => {
    session.form.apply({ rank: 8, weightFormat: 'q4' });
    expect(session.form.settings).toMatchObject({ rank: 8, weightFormat: 'q4', alpha: 32 });
    expect(session.form.changed).toContain('rank');
  });
});
