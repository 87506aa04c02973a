/** Runs by id: stored ones, and those of this tab that the disk had no room for. */
import type { Storage } from './database';
import { loadRun, saveRun } from './runs';
import type { StoredRun } from './schema';

export class RunBook {
  #db: Storage;
  #unsaved = new Map<string, StoredRun>();

  constructor(db: Storage) {
    this.#db = db;
  }

  /** Stores a run. On a full disk it stays in memory, without checkpoints, and the error is thrown on. */
  async add(run: StoredRun): Promise<void> {
    try {
      await saveRun(this.#db, run);
    } catch (error) {
      this.#unsaved.set(run.id, run);
      throw error;
    }
  }

  async find(id: string): Promise<StoredRun> {
    return this.#unsaved.get(id) ?? loadRun(this.#db, id);
  }
}
