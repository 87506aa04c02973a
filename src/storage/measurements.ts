/** What was measured on a device and is worth keeping: which design of each product is fastest there, and what is wrong. */
import type { TunedTable } from '../ops/product/choose';
import type { Verdict } from '../protocol/detours';
import { write, type Storage } from './database';
import type { KeptMeasurement, KeptTable, KeptVerdict } from './schema';

export const keepTuned = (db: Storage, table: KeptTable) =>
  keep(db, table, 'the fastest kernels of this device');
export const keepVerdict = (db: Storage, verdict: KeptVerdict) =>
  keep(db, verdict, 'the verdict on this device');

async function keep(db: Storage, measurement: KeptMeasurement, what: string): Promise<void> {
  const request = { what, needed: 1000 };
  await write(db, ['measurements'], request, async (transaction) => {
    await transaction.objectStore('measurements').put(measurement);
  });
}

/** Null where nothing was measured under this key. */
export async function tunedFor(db: Storage, device: string): Promise<TunedTable | null> {
  const kept = await db.get('measurements', device);
  return kept && 'table' in kept ? kept.table : null;
}

/** Null where the self-test was not run under this key. */
export async function verdictFor(db: Storage, device: string): Promise<Verdict | null> {
  const kept = await db.get('measurements', device);
  return kept && 'verdict' in kept ? kept.verdict : null;
}
