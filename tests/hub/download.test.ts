/** Downloads from a hub that misbehaves, in every way that guides and experience name; what is kept is whole or not there. */
import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../src/checkpoint/planes';
import { toFloat32 } from '../../src/checkpoint/safetensors';
import { formatOfTensor } from '../../src/model/shapes';
import { listDownloads, modelSource } from '../../src/storage/models';
import { failureOf } from '../../workers/failures';
import { standInHub, type Fault } from './standIn';
import { repository, REPOSITORY, request, TinyHub, weights } from './tinyHub';

const tiny = new TinyHub();

async function bytesAt(begin: number, end: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of weights.read(begin, end)) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts));
}

describe('a hub that behaves', () => {
  it('says what a repository holds before anything large is fetched', async () => {
    const facts = await tiny.intake.describe({ repository: REPOSITORY, revision: 'main' });
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
    expect(tiny.hub.requests.some(({ path }) => path.endsWith('.safetensors'))).toBe(false);
  });

  it.each(['q4', 'nf4dq'] as const)(
    'keeps the planes that each tensor encodes to in %s, and asks by two-ended ranges only',
    async (weightFormat) => {
      const model = await tiny.kept(await tiny.load({ token: 'hf_secret', weightFormat }));
      const source = await modelSource(tiny.db, model);
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
        const format = source.shape(name).length === 1 ? 'f32' : formatOfTensor(name, weightFormat);
        expect(await source.read(name)).toEqual(decode(encode(values, format), format, values.length));
      }
      const large = tiny.hub.requests.filter(({ path }) => path.endsWith('.safetensors'));
      expect(large.every(({ range }) => /^bytes=\d+-\d+$/.test(range ?? ''))).toBe(true);
      expect(large.filter(({ host }) => host === 'storage').length).toBe(3); // length, header, all
      expect(
        tiny.hub.requests.filter(({ host, authorization }) => host === 'storage' && authorization !== null),
      ).toEqual([]);
      expect(
        tiny.hub.requests
          .filter(({ host }) => host === 'hub')
          .every(({ authorization }) => authorization === 'Bearer hf_secret'),
      ).toBe(true);
      expect(await listDownloads(tiny.db)).toEqual([]);
    },
  );

  it('opens a kept model without asking for its weights', async () => {
    const first = await tiny.kept(await tiny.load());
    tiny.hub.requests.length = 0;
    expect((await tiny.kept(await tiny.load())).id).toBe(first.id);
    expect(tiny.hub.requests.filter(({ range }) => /-\d{6,}$/.test(range ?? ''))).toEqual([]);
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
    tiny.hub.always = fault;
    const failure = await tiny.load().then(
      () => null,
      (error: unknown) => failureOf(error),
    );
    expect(failure).toMatchObject({ kind: 'hub', reason, status });
    expect(failure?.message).toMatch(words);
    expect(await tiny.db.count('models')).toBe(0);
    expect(await tiny.db.count('modelChunks')).toBe(0);
  });

  it('another host than its own is not believed', async () => {
    const other = await standInHub(async () => repository, { redirects: false });
    tiny.hub.always = { kind: 'elsewhere', to: `${other.url}tiny/Tiny-Qwen/resolve/main/model.safetensors` };
    await expect(tiny.load()).rejects.toMatchObject({ reason: 'wrong-host' });
    await other.close();
  });

  it('a hub that is not there is named', async () => {
    await tiny.hub.close();
    await expect(tiny.load()).rejects.toMatchObject({ reason: 'unreachable' });
  });

  it.each(['evil/../x', 'x', 'a/b/c', '-a/b', 'a/b?c'])(
    '%s is no repository, and nobody is asked',
    async (name) => {
      await expect(tiny.load({ repository: name })).rejects.toMatchObject({ reason: 'not-found' });
      expect(tiny.hub.requests).toEqual([]);
    },
  );

  it('a foreign hub is refused', async () => {
    await expect(
      tiny.intake.download({ ...request, hub: 'https://evil.example' }, () => {}),
    ).rejects.toMatchObject({
      reason: 'wrong-host',
    });
  });

  it('waits as long as Retry-After says, then goes on', async () => {
    tiny.hub.faults = [
      { kind: 'status', status: 429, retryAfter: '7' },
      { kind: 'status', status: 503, retryAfter: '3' },
    ];
    const said: (string | null)[] = [];
    await tiny.kept(await tiny.load({}, ({ phase, message }) => phase === 'waiting' && said.push(message)));
    expect(tiny.slept).toEqual([7000, 3000]);
    expect(said[0]).toMatch(/asks for fewer requests \(429\)\. Trying again in 7 s/);
  });

  it('patience of an hour is not waited for', async () => {
    tiny.hub.faults = [{ kind: 'status', status: 429, retryAfter: '3600' }];
    await expect(tiny.load()).rejects.toMatchObject({ reason: 'too-many-requests' });
    expect(tiny.slept).toEqual([]);
  });

  it('takes up a cut connection at the last byte', async () => {
    const whole = await tiny.hashes(await tiny.kept(await tiny.load()));
    await tiny.newBrowser();
    tiny.hub.requests.length = 0;
    tiny.hub.faults = [null, null, { kind: 'cut', after: 700_000 }, { kind: 'cut', after: 300_000 }];
    expect(await tiny.hashes(await tiny.kept(await tiny.load()))).toEqual(whole);
    const begins = tiny.hub.requests
      .filter(({ host, path }) => host === 'storage' && path.endsWith('.safetensors'))
      .map(({ range }) => Number(/=(\d+)-/.exec(range ?? '')?.[1]));
    expect(begins).toEqual([0, 8, 0, 700_000, 1_000_000]);
  });

  it('reads a whole file where the range is ignored', async () => {
    tiny.hub.faults = [null, null, { kind: 'cut', after: 700_000 }];
    const whole = await tiny.hashes(await tiny.kept(await tiny.load()));
    await tiny.newBrowser();
    tiny.hub.always = { kind: 'ignores-range' };
    expect(await tiny.hashes(await tiny.kept(await tiny.load()))).toEqual(whole);
  });

  it('deletes a file whose hash is wrong, and says so', async () => {
    tiny.hub.faults = [null, null, { kind: 'wrong-byte', at: 1_500_000 }];
    const failure = await tiny.load().then(
      () => null,
      (error: unknown) => failureOf(error),
    );
    expect(failure).toMatchObject({ kind: 'hub', reason: 'wrong-hash' });
    expect(failure?.message).toMatch(/does not have the hash .* has been deleted; load it again/);
    expect([
      await tiny.db.count('models'),
      await tiny.db.count('modelParts'),
      await tiny.db.count('modelChunks'),
    ]).toEqual([0, 0, 0]);
    await tiny.kept(await tiny.load());
  });
});
