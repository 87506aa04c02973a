/** What is kept: sizes, a delete that is taken back, the file for other machines, and forgetting. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Keeping } from '../../src/state/keeping.svelte';
import { FakeModels, storedItems } from './fakeModels';

let remote: FakeModels;
let changes: number;
let keeping: Keeping;
const browser = { persist: vi.fn(async () => true), forget: vi.fn(async () => undefined) };
beforeEach(async () => {
  vi.clearAllMocks();
  remote = new FakeModels();
  changes = 0;
  keeping = new Keeping(remote, browser, async () => void changes++);
  await keeping.load();
});
afterEach(() => vi.useRealTimers());
const item = (id: string) => {
  const found = storedItems.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
};

it('adds up what is kept: 0.35 + 0.27 + 1.1 GB and the small ones', () => {
  expect(keeping.total).toBe(350e6 + 270e6 + 1100e6 + 61e6 + 412_000);
  expect(keeping.of('model').map(({ id }) => id)).toEqual(['kept-qwen', 'kept-smol']);
});

describe('a delete', () => {
  it('is gone from the list at once, and comes back', async () => {
    await keeping.remove(item('kept-smol'));
    expect(keeping.of('model').map(({ id }) => id)).toEqual(['kept-qwen']);
    expect(keeping.report?.removed.map(({ id }) => id)).toEqual(['kept-smol']);
    await keeping.undo(item('kept-smol'));
    expect(keeping.of('model')).toHaveLength(2);
    expect(remote.calls).toEqual(['remove model kept-smol', 'undo model kept-smol']);
    expect(changes).toBe(2);
  });

  it('is looked at again when it is through', async () => {
    vi.useFakeTimers();
    await keeping.remove(item('a1'));
    remote.removed = [];
    await vi.advanceTimersByTimeAsync(32_000);
    expect(keeping.report?.removed).toEqual([]);
  });

  it('that fails says so and leaves the rest', async () => {
    await keeping.remove({ ...item('a1'), id: 'zz' });
    expect(keeping.failure?.message).toContain('zz');
    expect(keeping.items).toHaveLength(storedItems.length);
  });
});

it('a browser that will not promise is quoted', async () => {
  browser.persist.mockResolvedValueOnce(false);
  await keeping.persist();
  expect(keeping.refused).toBe(true);
  await keeping.persist();
  expect(keeping.refused).toBe(false);
});

it('writes the chosen models into one file, and reads one', async () => {
  const archive = await keeping.export(['kept-qwen']);
  expect(archive?.name).toBe('models.loratory');
  expect(await keeping.export([])).toBeNull();
  await keeping.import(new Blob(['models']));
  expect(keeping.imported.map(({ id }) => id)).toEqual(['kept-qwen']);
  expect(keeping.importing).toBeNull();
  expect(remote.calls).toEqual(['export kept-qwen', 'import']);
});

it('forgetting that fails is told, and can be tried again', async () => {
  browser.forget.mockRejectedValueOnce(new Error('Another tab of this page is open.'));
  await keeping.forget();
  expect(keeping.failure?.message).toContain('Another tab');
  expect(keeping.forgetting).toBe(false);
});
