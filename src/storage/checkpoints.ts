/**
 * What a run needs to go on, in two slots that alternate: the older one is overwritten, so a save that is cut off leaves
 * the newer one. Each carries a hash; one that does not match is skipped, and said so. Opaque bytes: the trainer knows them.
 */
import type { Steps } from '../units';
import { sha256, write, type Storage } from './database';
import type { Slot, StoredCheckpoint } from './schema';

export interface Checkpoint {
  step: Steps;
  bytes: ArrayBuffer;
  /** Anything JSON can hold that belongs to the same moment. */
  meta: unknown;
}
export interface LoadedCheckpoint {
  checkpoint: Checkpoint | null;
  /** One sentence for each torn slot that was passed over. */
  skipped: string[];
}

/** Resolves when the checkpoint is on disk. */
export async function saveCheckpoint(db: Storage, runId: string, checkpoint: Checkpoint): Promise<void> {
  const { step, bytes } = checkpoint;
  const meta = JSON.stringify(checkpoint.meta ?? null);
  const hash = await seal(step, meta, bytes);
  const what = `the checkpoint of step ${step}`;
  await write(db, ['checkpoints'], { what, needed: bytes.byteLength }, async (transaction) => {
    const store = transaction.objectStore('checkpoints');
    const newest = await store.index('bySequence').openKeyCursor(sequencesOf(runId), 'prev');
    const slot: Slot = newest?.primaryKey[1] === 0 ? 1 : 0;
    const sequence = (newest?.key[1] ?? 0) + 1;
    await store.put({ runId, slot, sequence, step, bytes, meta, sha256: hash });
  });
}

/** The newest checkpoint that is whole. A torn one is deleted, so that the next save does not overwrite the whole one. */
export async function loadCheckpoint(db: Storage, runId: string): Promise<LoadedCheckpoint> {
  const slots = await db.getAllFromIndex('checkpoints', 'bySequence', sequencesOf(runId));
  const skipped: string[] = [];
  for (const stored of slots.reverse()) {
    if (await isWhole(stored)) {
      const { step, bytes, meta } = stored;
      return { checkpoint: { step, bytes, meta: JSON.parse(meta) }, skipped };
    }
    skipped.push(`The checkpoint of step ${stored.step} is damaged and was passed over.`);
    await deleteSlot(db, stored);
  }
  return { checkpoint: null, skipped };
}

async function isWhole({ step, meta, bytes, sha256: hash }: StoredCheckpoint): Promise<boolean> {
  return (await seal(step, meta, bytes)) === hash;
}

async function deleteSlot(db: Storage, { runId, slot }: StoredCheckpoint): Promise<void> {
  await write(db, ['checkpoints'], { what: 'deleting a checkpoint', needed: 0 }, async (transaction) => {
    await transaction.objectStore('checkpoints').delete([runId, slot]);
  });
}

async function seal(step: Steps, meta: string, bytes: ArrayBuffer): Promise<string> {
  const parts = [`${step}`, await sha256(new TextEncoder().encode(meta)), await sha256(bytes)];
  return sha256(new TextEncoder().encode(parts.join(' ')));
}

function sequencesOf(runId: string): IDBKeyRange {
  return IDBKeyRange.bound([runId, 0], [runId, Infinity]);
}
