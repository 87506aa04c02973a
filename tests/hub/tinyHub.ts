/** A tiny model on a stand-in for the public hub, and an intake that keeps what comes from it: anew for each test. */
import { afterEach, beforeEach } from 'vitest';
import type { DownloadEnd, DownloadProgress } from '../../src/protocol/models';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import { openStorage, type Storage } from '../../src/storage/database';
import { listParts, readPart } from '../../src/storage/modelParts';
import { findModel } from '../../src/storage/models';
import type { StoredModel } from '../../src/storage/schema';
import { Intake } from '../../workers/models/intake';
import { synthetic } from './configs';
import { asPublicHub } from './publicHub';
import { standInHub, type StandIn } from './standIn';
import { syntheticRepository } from './synthetic';

export const REPOSITORY = 'tiny/Tiny-Qwen';
export const request = { repository: REPOSITORY, revision: 'main', weightFormat: 'q4' as WeightFormat };
export const repository = syntheticRepository(synthetic(REPOSITORY));
const found = repository.files.find(({ name }) => name === 'model.safetensors');
if (!found) throw new Error('no weights');
export const weights = found;

let databases = 0;

/** What a test works with; filled before each one. */
export class TinyHub {
  db!: Storage;
  hub!: StandIn;
  intake!: Intake;
  slept: number[] = [];

  constructor() {
    beforeEach(async () => {
      this.hub = await standInHub(async (name) => (name === REPOSITORY ? repository : null));
      this.slept = [];
      this.db = await openStorage(`tiny-hub-${++databases}`);
      this.intake = this.newIntake();
    });
    afterEach(async () => {
      this.db.close();
      await this.hub.close();
    });
  }

  /** Another database, with nothing in it. */
  async newBrowser(): Promise<void> {
    this.db.close();
    this.db = await openStorage(`tiny-hub-${++databases}`);
    this.intake = this.newIntake();
  }

  /** Another tab of the same browser. */
  newIntake(): Intake {
    const sleep = async (time: number, signal: AbortSignal) => {
      this.slept.push(time);
      signal.throwIfAborted();
    };
    // 20 kB a part: the model has more than twenty
    const around = { origin: null, fetch: asPublicHub(this.hub), sleep, partBytes: 20_000 };
    return new Intake(this.db, around, () => undefined);
  }

  load(own: Partial<typeof request & { token: string }> = {}, tell = (_: DownloadProgress) => {}) {
    return this.intake.download({ ...request, ...own }, tell);
  }

  async kept(end: DownloadEnd): Promise<StoredModel> {
    if (end.state !== 'kept') throw new Error(`It ended ${end.state}.`);
    const model = await findModel(this.db, end.model.id);
    if (!model) throw new Error('The model is not stored.');
    return model;
  }

  /** All planes, as one text per part. */
  async hashes(model: StoredModel): Promise<string[]> {
    const parts = await listParts(this.db, model.id);
    for (const part of parts) await readPart(this.db, model, part);
    return parts.map(({ sha256 }) => sha256);
  }
}
