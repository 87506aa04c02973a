/** What was measured on one device is found again there, and nowhere else. */
import 'fake-indexeddb/auto';
import { expect, it } from 'vitest';
import { openStorage } from '../../src/storage/database';
import { keepTuned, keepVerdict, tunedFor, verdictFor } from '../../src/storage/measurements';

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

it('keeps the verdict on a device beside its fastest kernels, and takes neither for the other', async () => {
  const db = await openStorage('verdicts');
  const detours = [{ operation: 'attention', way: 'stock' } as const];
  const verdict = { detours, right: true, made: 3 };
  expect(await verdictFor(db, 'card A, tested')).toBeNull();
  await keepVerdict(db, { device: 'card A, tested', verdict, made: 3 });
  await keepTuned(db, { device: 'card A', table: {}, made: 1 });
  expect(await verdictFor(db, 'card A, tested')).toEqual(verdict);
  expect(await verdictFor(db, 'card B, tested')).toBeNull();
  expect(await tunedFor(db, 'card A, tested')).toBeNull();
  expect(await verdictFor(db, 'card A')).toBeNull();
  db.close();
});
