/** Bytes of a model's parts in the database: as Blobs, in browsers that refuse them, of older versions, and lost. */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { getChunk, putChunk } from '../../src/storage/chunks';
import { openStorage, write, type Storage } from '../../src/storage/database';

const bytes = Uint8Array.of(3, 1, 4, 1, 5);

let db: Storage;
let databases = 0;
beforeEach(async () => {
  db = await openStorage(`chunks-${++databases}`);
});
afterEach(() => {
  vi.restoreAllMocks();
  db.close();
});

const put = () =>
  write(db, ['modelParts', 'modelChunks'], { what: 'a part', needed: 5 }, (transaction) =>
    putChunk(transaction, ['m', 0], bytes.slice().buffer),
  );
const got = async () => new Uint8Array((await getChunk(db, ['m', 0])) ?? new ArrayBuffer(0));

it('lie there as a Blob', async () => {
  await put();
  expect(await db.get('modelChunks', ['m', 0])).toBeInstanceOf(Blob);
  expect(await got()).toEqual(bytes);
});

it('lie there as they are where a Blob may not be stored', async () => {
  const real = Object.getOwnPropertyDescriptor(IDBObjectStore.prototype, 'put')
    ?.value as IDBObjectStore['put'];
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
    this: IDBObjectStore,
    value: unknown,
    key,
  ) {
    if (value instanceof Blob) throw new DOMException('BlobURLs are not yet supported.', 'DataCloneError');
    return real.call(this, value, key);
  });
  await put();
  expect(await db.get('modelChunks', ['m', 0])).toBeInstanceOf(ArrayBuffer);
  expect(await got()).toEqual(bytes);
});

it('that cannot be stored at all are an error', async () => {
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('read-only', 'ReadOnlyError');
  });
  await expect(put()).rejects.toThrow('read-only');
});

it('are none where there are none, or where their file is lost', async () => {
  expect(await getChunk(db, ['m', 0])).toBeNull();
  await put();
  vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValue(new DOMException('gone', 'NotReadableError'));
  expect(await getChunk(db, ['m', 0])).toBeNull();
});
