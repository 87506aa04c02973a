/** What was measured on a device and is worth keeping: which design of each product is fastest there. */
import type { TunedTable } from '../ops/product/choose';
import { write, type Storage } from './database';
import type { KeptMeasurement } from './schema';

export async function keepTuned(db: Storage, measurement: KeptMeasurement): Promise<void> {
  const request = { what: 'the fastest kernels of this device', needed: 1000 };
  await write(db, ['measurements'], request, async (transaction) => {
    await transaction.objectStore('measurements').put(measurement);
  });
}

/** Null where nothing was measured under this key. */
export async function tunedFor(db: Storage, device: string): Promise<TunedTable | null> {
  return (await db.get('measurements', device))?.table ?? null;
}
