/** Downloads that are paused, torn, cancelled or come from files: what is kept is the same bytes in the end. */
import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import type { DownloadEnd } from '../../src/protocol/models';
import { listParts } from '../../src/storage/modelParts';
import { repository, TinyHub, weights } from './tinyHub';

const tiny = new TinyHub();

describe('pausing', () => {
  /** Pauses when so much is through. */
  async function pauseAt(bytes: number): Promise<DownloadEnd> {
    return tiny.load({}, ({ id, bytesDone }) => bytesDone > bytes && tiny.intake.pause(id));
  }

  it('goes on after the last part, also in another tab, and ends byte-equal', async () => {
    const whole = await tiny.hashes(await tiny.kept(await tiny.load()));
    await tiny.newBrowser();
    tiny.hub.rate = 2e6; // so that there is something to pause
    const end = await pauseAt(0.3 * weights.bytes);
    expect(end.state).toBe('paused');
    tiny.hub.rate = Infinity;
    const [left] = await tiny.newIntake().unfinished();
    if (!left) throw new Error('nothing is unfinished');
    expect(left).toMatchObject({ name: 'Tiny-Qwen', bytesTotal: weights.bytes, running: false });
    expect(left.bytesDone).toBeGreaterThan(0);
    tiny.intake = tiny.newIntake();
    tiny.hub.requests.length = 0;
    const model = await tiny.kept(await tiny.intake.resume(left.id, {}, () => {}));
    expect(await tiny.hashes(model)).toEqual(whole);
    expect(tiny.hub.requests.at(-1)?.range).toBe(`bytes=${left.bytesDone}-${weights.bytes - 1}`);
    expect(await tiny.intake.unfinished()).toEqual([]);
  });

  it('fetches a torn part again', async () => {
    tiny.hub.rate = 2e6;
    const end = await pauseAt(0.6 * weights.bytes);
    tiny.hub.rate = Infinity;
    if (end.state !== 'paused') throw new Error(end.state);
    const parts = await listParts(tiny.db, end.id);
    expect(parts.length).toBeGreaterThan(2);
    await tiny.db.put('modelChunks', new Uint8Array(parts[1]?.bytes ?? 0).buffer, [end.id, 1]);
    tiny.hub.requests.length = 0;
    const model = await tiny.kept(await tiny.intake.resume(end.id, {}, () => {}));
    expect(tiny.hub.requests.at(-1)?.range).toBe(`bytes=${parts[0]?.end}-${weights.bytes - 1}`);
    expect((await tiny.hashes(model)).length).toBe(model.parts);
  });

  it('cancelling leaves nothing', async () => {
    tiny.hub.rate = 2e6;
    const end = await tiny.load(
      {},
      ({ id, bytesDone }) => bytesDone > 0.3 * weights.bytes && void tiny.intake.cancel(id),
    );
    expect(end.state).toBe('cancelled');
    expect([
      await tiny.db.count('downloads'),
      await tiny.db.count('modelParts'),
      await tiny.db.count('modelChunks'),
    ]).toEqual([0, 0, 0]);
  });
});

/** The repository's files as a person chooses them; `flip`: a byte of the weights that is another one. */
function picked(flip?: number) {
  return Promise.all(
    repository.files.map(async ({ name, bytes, read }) => {
      const parts: Buffer[] = [];
      for await (const part of read(0, bytes)) parts.push(part as Buffer);
      const whole = new Uint8Array(Buffer.concat(parts));
      if (flip !== undefined && name === weights.name) whole[flip] = (whole[flip] ?? 0) ^ 1;
      return { path: `My-Model/${name}`, file: new Blob([whole]) };
    }),
  );
}

describe('files of this machine', () => {
  it('become the same planes as from the hub', async () => {
    const whole = await tiny.hashes(await tiny.kept(await tiny.load()));
    const model = await tiny.kept(await tiny.intake.add(await picked(), 'q4', () => {}));
    expect(await tiny.hashes(model)).toEqual(whole);
    expect(model).toMatchObject({ name: 'My-Model', origin: null, weightFormat: 'q4' });
  });

  it('under the same names with other weights are another model; the same again are the same', async () => {
    const add = async (flip?: number) => tiny.kept(await tiny.intake.add(await picked(flip), 'q4', () => {}));
    const { id } = await add();
    expect((await add()).id).toBe(id);
    // neither the beginning, the middle nor the end of the file
    expect((await add(Math.floor(weights.bytes / 3))).id).not.toBe(id);
  });

  it('without config.json are refused with its name', async () => {
    const file = new Blob([new Uint8Array(10)]);
    await expect(tiny.intake.add([{ path: 'model.safetensors', file }], null, () => {})).rejects.toThrow(
      /config.json/,
    );
  });
});
