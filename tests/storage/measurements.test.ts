/** What was measured on one device is found again there, and nowhere else. */
import 'fake-indexeddb/auto';
import { expect, it } from 'vitest';
import { openStorage } from '../../src/storage/database';
import { keepTuned, tunedFor } from '../../src/storage/measurements';

it('keeps the fastest kernels of a device, and forgets them for another', async () => {
  const db = await openStorage('measurements');
  expect(await tunedFor(db, 'card A')).toBeNull();
  const table = { 'nt q4': { design: 'registers', rows: 8, cols: 4, broadcast: 0 } as const };
  await keepTuned(db, { device: 'card A', table, made: 1 });
  expect(await tunedFor(db, 'card A')).toEqual(table);
  expect(await tunedFor(db, 'card B')).toBeNull();
  const faster = { 'nt q4': { ...table['nt q4'], rows: 4 } };
  await keepTuned(db, { device: 'card A', table: faster, made: 2 });
  expect(await tunedFor(db, 'card A')).toEqual(faster);
  db.close();
});
