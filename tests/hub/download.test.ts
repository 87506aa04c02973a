/** Downloads from a hub that misbehaves, in every way that guides and experience name; what is kept is whole or not there. */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decode, encode } from '../../src/checkpoint/planes';
import { toFloat32 } from '../../src/checkpoint/safetensors';
import { formatOfTensor } from '../../src/model/shapes';
import type { DownloadEnd, DownloadProgress } from '../../src/protocol/models';
import { openStorage, type Storage } from '../../src/storage/database';
import { listParts, readPart } from '../../src/storage/modelParts';
import { findModel, listDownloads, modelSource } from '../../src/storage/models';
import type { StoredModel } from '../../src/storage/schema';
import { Intake } from '../../workers/intake';
import { failureOf } from '../../workers/failures';
import { synthetic } from './configs';
import { asPublicHub } from './publicHub';
import { standInHub, type Fault, type StandIn } from './standIn';
import { syntheticRepository } from './synthetic';

const REPOSITORY = 'tiny/Tiny-Qwen';
const request = { repository: REPOSITORY, revision: 'main', weightFormat: 'q4' as const };
const repository = syntheticRepository(synthetic(REPOSITORY));
const weights = repository.files.find(({ name }) => name === 'model.safetensors');
if (!weights) throw new Error('no weights');

let db: Storage;
let hub: StandIn;
let intake: Intake;
let slept: number[];
let databases = 0;

function newIntake(): Intake {
  const sleep = async (time: number, signal: AbortSignal) => {
    slept.push(time);
    signal.throwIfAborted();
  };
  // 20 kB a part: the model has more than twenty
  return new Intake(db, { origin: null, fetch: asPublicHub(hub), sleep, partBytes: 20_000 }, () => undefined);
}

beforeEach(async () => {
  db = await openStorage(`download-${++databases}`);
  hub = await standInHub(async (name) => (name === REPOSITORY ? repository : null));
  slept = [];
  intake = newIntake();
});
afterEach(async () => {
  db.close();
  await hub.close();
});

async function kept(end: DownloadEnd): Promise<StoredModel> {
  if (end.state !== 'kept') throw new Error(`It ended ${end.state}.`);
  const model = await findModel(db, end.model.id);
  if (!model) throw new Error('The model is not stored.');
  return model;
}

/** All planes, as one text per part. */
async function hashes(model: StoredModel): Promise<string[]> {
  const parts = await listParts(db, model.id);
  for (const part of parts) await readPart(db, model, part);
  return parts.map(({ sha256 }) => sha256);
}

const load = (own: Partial<typeof request & { token: string }> = {}, tell = (_: DownloadProgress) => {}) =>
  intake.download({ ...request, ...own }, tell);

async function bytesAt(begin: number, end: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of weights?.read(begin, end) ?? []) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts));
}

describe('a hub that behaves', () => {
  it('says what a repository holds before anything large is fetched', async () => {
    const facts = await intake.describe({ repository: REPOSITORY, revision: 'main' });
    expect(facts).toMatchObject({
      commit: repository.commit,
      architecture: 'Qwen2ForCausalLM',
      unsupported: null,
      contextLength: 512,
      licence: 'apache-2.0',
      gated: false,
      suggestedFormat: 'f16',
    });
    // 4096·128 + 4 (128·128·2 + 128·64·2 + 128 + 64 + 64 + 3·128·256 + 2·128) + 128
    expect(facts.parameters).toBe(524288 + 4 * (32768 + 16384 + 256 + 98304 + 256) + 128);
    expect(facts.files.map(({ name }) => name)).toContain('tokenizer.json');
    expect(facts.downloadBytes).toBe(repository.files.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(hub.requests.some(({ path }) => path.endsWith('.safetensors'))).toBe(false);
  });

  it('keeps the planes that each tensor encodes to, and asks by two-ended ranges only', async () => {
    const model = await kept(await load({ token: 'hf_secret' }));
    const source = await modelSource(db, model);
    const header = JSON.parse(
      Buffer.from(
        await bytesAt(8, 8 + Number(Buffer.from(await bytesAt(0, 8)).readBigUInt64LE())),
      ).toString(),
    ) as Record<string, { shape: number[]; data_offsets: [number, number] }>;
    const dataAt =
      weights.bytes - Math.max(...Object.values(header).map((entry) => entry.data_offsets?.[1] ?? 0));
    for (const name of [
      'model.embed_tokens.weight',
      'model.layers.3.mlp.down_proj.weight',
      'model.norm.weight',
    ]) {
      const [begin = 0, end = 0] = header[name]?.data_offsets ?? [];
      const values = toFloat32(await bytesAt(dataAt + begin, dataAt + end), 'BF16');
      const format = source.shape(name).length === 1 ? 'f32' : formatOfTensor(name, 'q4');
      expect(await source.read(name)).toEqual(decode(encode(values, format), format, values.length));
    }
    const large = hub.requests.filter(({ path }) => path.endsWith('.safetensors'));
    expect(large.every(({ range }) => /^bytes=\d+-\d+$/.test(range ?? ''))).toBe(true);
    expect(large.filter(({ host }) => host === 'storage').length).toBe(3); // length, header, all
    expect(
      hub.requests.filter(({ host, authorization }) => host === 'storage' && authorization !== null),
    ).toEqual([]);
    expect(
      hub.requests
        .filter(({ host }) => host === 'hub')
        .every(({ authorization }) => authorization === 'Bearer hf_secret'),
    ).toBe(true);
    expect(await listDownloads(db)).toEqual([]);
  });

  it('opens a kept model without asking for its weights', async () => {
    const first = await kept(await load());
    hub.requests.length = 0;
    expect((await kept(await load())).id).toBe(first.id);
    expect(hub.requests.filter(({ range }) => /-\d{6,}$/.test(range ?? ''))).toEqual([]);
  });
});

describe('a hub that does not', () => {
  const refused: [string, Fault, string, number | null, RegExp][] = [
    ['401', { kind: 'status', status: 401 }, 'not-signed-in', 401, /private or gated \(401\)/],
    ['403', { kind: 'status', status: 403 }, 'no-access', 403, /accept terms first \(403\)/],
    ['404', { kind: 'status', status: 404 }, 'not-found', 404, /is not on huggingface.co \(404\)/],
    ['416', { kind: 'status', status: 416 }, 'wrong-length', 416, /shorter than the hub said/],
    ['418', { kind: 'status', status: 418 }, 'unexpected', 418, /status 418/],
    ['429 for ever', { kind: 'status', status: 429 }, 'too-many-requests', 429, /fewer requests \(429\)/],
    ['500 for ever', { kind: 'status', status: 500 }, 'server-error', 500, /a fault of its own \(500\)/],
    ['a web page', { kind: 'html' }, 'not-bytes', 200, /answered with a web page/],
    [
      'more bytes than asked for',
      { kind: 'length', by: 5 },
      'wrong-length',
      206,
      /the answer has 13 bytes; 8 belong/,
    ],
    ['a redirect loop', { kind: 'loop' }, 'redirects', null, /sends on in a circle/],
    ['cut connections for ever', { kind: 'cut', after: 0 }, 'cut-off', null, /broke at byte 0 of/],
  ];
  it.each(refused)('%s: a failure of its own, nothing kept', async (_, fault, reason, status, words) => {
    hub.always = fault;
    const failure = await load().then(
      () => null,
      (error: unknown) => failureOf(error),
    );
    expect(failure).toMatchObject({ kind: 'hub', reason, status });
    expect(failure?.message).toMatch(words);
    expect(await db.count('models')).toBe(0);
    expect(await db.count('modelChunks')).toBe(0);
  });

  it('another host than its own is not believed', async () => {
    const other = await standInHub(async () => repository, { redirects: false });
    hub.always = { kind: 'elsewhere', to: `${other.url}tiny/Tiny-Qwen/resolve/main/model.safetensors` };
    await expect(load()).rejects.toMatchObject({ reason: 'wrong-host' });
    await other.close();
  });

  it('a hub that is not there is named', async () => {
    await hub.close();
    await expect(load()).rejects.toMatchObject({ reason: 'unreachable' });
  });

  it.each(['evil/../x', 'x', 'a/b/c', '-a/b', 'a/b?c'])(
    '%s is no repository, and nobody is asked',
    async (name) => {
      await expect(load({ repository: name })).rejects.toMatchObject({ reason: 'not-found' });
      expect(hub.requests).toEqual([]);
    },
  );

  it('a foreign hub is refused', async () => {
    await expect(
      intake.download({ ...request, hub: 'https://evil.example' }, () => {}),
    ).rejects.toMatchObject({
      reason: 'wrong-host',
    });
  });

  it('waits as long as Retry-After says, then goes on', async () => {
    hub.faults = [
      { kind: 'status', status: 429, retryAfter: '7' },
      { kind: 'status', status: 503, retryAfter: '3' },
    ];
    const said: (string | null)[] = [];
    await kept(await load({}, ({ phase, message }) => phase === 'waiting' && said.push(message)));
    expect(slept).toEqual([7000, 3000]);
    expect(said[0]).toMatch(/asks for fewer requests \(429\)\. Trying again in 7 s/);
  });

  it('patience of an hour is not waited for', async () => {
    hub.faults = [{ kind: 'status', status: 429, retryAfter: '3600' }];
    await expect(load()).rejects.toMatchObject({ reason: 'too-many-requests' });
    expect(slept).toEqual([]);
  });

  it('takes up a cut connection at the last byte', async () => {
    const whole = await hashes(await kept(await load()));
    db.close();
    db = await openStorage(`download-${++databases}`);
    intake = newIntake();
    hub.requests.length = 0;
    hub.faults = [null, null, { kind: 'cut', after: 700_000 }, { kind: 'cut', after: 300_000 }];
    expect(await hashes(await kept(await load()))).toEqual(whole);
    const begins = hub.requests
      .filter(({ host, path }) => host === 'storage' && path.endsWith('.safetensors'))
      .map(({ range }) => Number(/=(\d+)-/.exec(range ?? '')?.[1]));
    expect(begins).toEqual([0, 8, 0, 700_000, 1_000_000]);
  });

  it('reads a whole file where the range is ignored', async () => {
    hub.faults = [null, null, { kind: 'cut', after: 700_000 }];
    const whole = await hashes(await kept(await load()));
    db.close();
    db = await openStorage(`download-${++databases}`);
    intake = newIntake();
    hub.always = { kind: 'ignores-range' };
    expect(await hashes(await kept(await load()))).toEqual(whole);
  });

  it('deletes a file whose hash is wrong, and says so', async () => {
    hub.faults = [null, null, { kind: 'wrong-byte', at: 1_500_000 }];
    const failure = await load().then(
      () => null,
      (error: unknown) => failureOf(error),
    );
    expect(failure).toMatchObject({ kind: 'hub', reason: 'wrong-hash' });
    expect(failure?.message).toMatch(/does not have the hash .* has been deleted; load it again/);
    expect([await db.count('models'), await db.count('modelParts'), await db.count('modelChunks')]).toEqual([
      0, 0, 0,
    ]);
    await kept(await load());
  });
});

describe('pausing', () => {
  /** Pauses when so much is through. */
  async function pauseAt(bytes: number): Promise<DownloadEnd> {
    return load({}, ({ id, bytesDone }) => bytesDone > bytes && intake.pause(id));
  }

  it('goes on after the last part, also in another tab, and ends byte-equal', async () => {
    const whole = await hashes(await kept(await load()));
    db.close();
    db = await openStorage(`download-${++databases}`);
    intake = newIntake();
    hub.rate = 2e6; // so that there is something to pause
    const end = await pauseAt(0.3 * weights.bytes);
    expect(end.state).toBe('paused');
    hub.rate = Infinity;
    const [left] = await newIntake().unfinished();
    if (!left) throw new Error('nothing is unfinished');
    expect(left).toMatchObject({ name: 'Tiny-Qwen', bytesTotal: weights.bytes, running: false });
    expect(left.bytesDone).toBeGreaterThan(0);
    intake = newIntake();
    hub.requests.length = 0;
    const model = await kept(await intake.resume(left.id, {}, () => {}));
    expect(await hashes(model)).toEqual(whole);
    expect(hub.requests.at(-1)?.range).toBe(`bytes=${left.bytesDone}-${weights.bytes - 1}`);
    expect(await intake.unfinished()).toEqual([]);
  });

  it('fetches a torn part again', async () => {
    hub.rate = 2e6;
    const end = await pauseAt(0.6 * weights.bytes);
    hub.rate = Infinity;
    if (end.state !== 'paused') throw new Error(end.state);
    const parts = await listParts(db, end.id);
    expect(parts.length).toBeGreaterThan(2);
    await db.put('modelChunks', new Uint8Array(parts[1]?.bytes ?? 0).buffer, [end.id, 1]);
    hub.requests.length = 0;
    const model = await kept(await intake.resume(end.id, {}, () => {}));
    expect(hub.requests.at(-1)?.range).toBe(`bytes=${parts[0]?.end}-${weights.bytes - 1}`);
    expect((await hashes(model)).length).toBe(model.parts);
  });

  it('cancelling leaves nothing', async () => {
    hub.rate = 2e6;
    const end = await load(
      {},
      ({ id, bytesDone }) => bytesDone > 0.3 * weights.bytes && void intake.cancel(id),
    );
    expect(end.state).toBe('cancelled');
    expect([
      await db.count('downloads'),
      await db.count('modelParts'),
      await db.count('modelChunks'),
    ]).toEqual([0, 0, 0]);
  });
});

describe('files of this machine', () => {
  it('become the same planes as from the hub', async () => {
    const whole = await hashes(await kept(await load()));
    const files = await Promise.all(
      repository.files.map(async ({ name, bytes, read }) => {
        const parts: Buffer[] = [];
        for await (const part of read(0, bytes)) parts.push(part as Buffer);
        return { path: `My-Model/${name}`, file: new Blob([new Uint8Array(Buffer.concat(parts))]) };
      }),
    );
    const model = await kept(await intake.add(files, 'q4', () => {}));
    expect(await hashes(model)).toEqual(whole);
    expect(model).toMatchObject({ name: 'My-Model', origin: null, weightFormat: 'q4' });
  });

  it('without config.json are refused with its name', async () => {
    const file = new Blob([new Uint8Array(10)]);
    await expect(intake.add([{ path: 'model.safetensors', file }], null, () => {})).rejects.toThrow(
      /config.json/,
    );
  });
});
