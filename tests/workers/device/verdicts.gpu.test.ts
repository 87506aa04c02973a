/** What the self-test found on a device is kept, put in force when the device is opened again, and said by every run on it. */
import 'fake-indexeddb/auto';
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { forgetPipelines, kernelsMade } from '../../../src/gpu/pipelines';
import { detoursInUse, useDetours } from '../../../src/ops/ways';
import type { TrainerApi } from '../../../src/protocol/trainerApi';
import type { Verdict } from '../../../src/protocol/detours';
import type { RunEvent } from '../../../src/protocol/events';
import { parseSettings } from '../../../src/protocol/settings';
import type { WeightFormat } from '../../../src/protocol/weightFormats';
import { openStorage, type Storage } from '../../../src/storage/database';
import { browserSurroundings } from '../../../workers/models/intake';
import { beforeUse, machine, restartMachine } from '../../../workers/device/machine';
import { trainerService } from '../../../workers/service';
import { Verdicts } from '../../../workers/device/verdicts';
import { listed, TINY } from '../models/tinyPage';

vi.setConfig({ testTimeout: 300_000 });

let db: Storage;
let service: TrainerApi;
beforeAll(async () => {
  vi.stubGlobal('fetch', async (address: URL | string) => {
    const path = new URL(address).pathname;
    const file = path.replace(/^.*\/(selftest|models\/tiny)\//, `${TINY}/`);
    const list = path.endsWith('models.json');
    return new Response(list ? JSON.stringify(listed) : new Uint8Array(readFileSync(file)));
  });
  db = await openStorage('verdicts');
  service = open();
  await restartMachine();
});
afterAll(() => {
  db.close();
  // other files of this process open devices of their own
  beforeUse(() => Promise.resolve());
  vi.unstubAllGlobals();
  useDetours([]);
});

/** As a page does that is opened: nothing is known but what is stored. */
const open = () => trainerService(db, new URL('http://page/demo/'), browserSurroundings());

async function reopenAfter(verdict: Verdict): Promise<void> {
  await new Verdicts(db).keep(verdict);
  service = open();
  await restartMachine();
}

async function valueOf<T>(call: ReturnType<TrainerApi['verdict']> | Promise<Result<T>>): Promise<T> {
  const result = await call;
  if (!result.ok) throw new Error(result.failure.message);
  return result.value as T;
}
type Result<T> = { ok: true; value: T } | { ok: false; failure: { message: string } };

async function textIn(zip: Blob, file: string): Promise<string> {
  const entries = unzipSync(new Uint8Array(await zip.arrayBuffer()));
  const [, bytes] = Object.entries(entries).find(([name]) => name.endsWith(file)) ?? [];
  if (!bytes) throw new Error(`The bundle has no ${file}.`);
  return new TextDecoder().decode(bytes);
}

async function eventsOf(weightFormat: WeightFormat): Promise<RunEvent[]> {
  const length = 16;
  const ids = Int32Array.from({ length }, (_, i) => ((i * 7) % 13) + 20);
  const targets = ids.map((_, i) => ids[i + 1] ?? -1);
  const rows = { length, rows: 1, examples: 1, supervised: length - 1 };
  const train = { ...rows, ids, targets, documentStart: new Int32Array(length) };
  const events: RunEvent[] = [];
  await service.train(
    {
      ...{ modelId: 'tiny', name: 'Shop' },
      settings: parseSettings({ rank: 2, epochs: 1, warmupSteps: 0, patience: 0, weightFormat }),
      data: {
        ...{ name: 'a', hash: 'ab', train, validation: train, test: [], testIsValidation: true },
        split: { rule: 'none', seed: 1, train: 1, validation: 1, test: 0 },
      },
    },
    (event) => events.push(event),
  );
  return events;
}

describe('a verdict', () => {
  it('is kept with its detours, which are in force on the device when it is opened again', async () => {
    expect(await valueOf<Verdict | null>(service.verdict())).toBeNull();
    const { gpu } = await machine();
    if (!gpu) throw new Error('This test needs WebGPU.');
    // a driver that takes each activation for the other
    const right = gpu.device.createShaderModule.bind(gpu.device);
    gpu.device.createShaderModule = (shader) =>
      right({ ...shader, code: shader.code.replaceAll('(GELU)', '(!GELU)') });
    forgetPipelines();
    const report = await valueOf(service.selfTest(() => undefined));
    expect(report.verdict.detours).toEqual([{ operation: 'glu', way: 'stock' }]);

    useDetours([]);
    service = open();
    await restartMachine();
    expect(detoursInUse()).toEqual(report.verdict.detours);
    expect(await valueOf<Verdict | null>(service.verdict())).toEqual(report.verdict);
  });

  it('is said by a run, which goes round what is wrong', async () => {
    await reopenAfter({ detours: [{ operation: 'glu', way: 'stock' }], right: true, made: 1 });
    const events = await eventsOf('f32');
    expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))).toEqual([
      'On this graphics card, the gate of a layer gives wrong results. Loratory uses a slower way for it.',
    ]);
    const planned = events.find((event) => event.type === 'planned');
    expect(planned?.plan.detours).toEqual([{ operation: 'glu', way: 'stock' }]);
    expect(events.at(-1)?.type).toBe('finished');
    expect(kernelsMade()).toContain('rmsNorm');
    expect(kernelsMade()).not.toContain('glu');
    expect(kernelsMade()).not.toContain('gluGrad');

    const [adapter] = await valueOf(service.adapters());
    const { zip } = await valueOf(service.exportAdapter(adapter?.id ?? ''));
    expect(await textIn(zip, 'run.json')).toContain('wrong results on this device: the gate of a layer');
  });

  it('refuses a run in a format that nothing computes rightly, and no other', async () => {
    await reopenAfter({ detours: [{ operation: 'linear q8', way: null }], right: true, made: 1 });
    const events = await eventsOf('q8');
    expect(events).toEqual([
      {
        type: 'failed',
        failure: {
          kind: 'wrong-results',
          message:
            'On this graphics card, multiplying by q8 weights gives wrong results in every way that Loratory knows, so it is refused here. Choose another weight format.',
        },
      },
    ]);
    expect((await eventsOf('f32')).at(-1)?.type).toBe('finished');
  });
});
