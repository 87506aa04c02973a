/**
 * What the self-test found on this device, kept and put in force whenever the engine starts on it again. Another driver or browser
 * is another device: there everything goes its usual way until the test is run.
 */
import type { Engine } from '../../src/gpu/backend';
import { useDetours } from '../../src/ops/ways';
import type { Verdict } from '../../src/protocol/detours';
import { StorageFull, type Storage } from '../../src/storage/database';
import { keepVerdict, verdictFor } from '../../src/storage/measurements';
import { deviceKey } from './deviceKey';
import { version } from '../../package.json';
import { machine } from './machine';

export class Verdicts {
  #current: Verdict | null = null;

  constructor(private readonly db: Storage) {}

  /** Null where the device was not tested. */
  get current(): Verdict | null {
    return this.#current;
  }

  /** For a device that has just been opened. */
  async use(engine: Engine): Promise<void> {
    this.#current = engine.gpu ? await verdictFor(this.db, keyOf(engine)) : null;
    useDetours(this.#current?.detours ?? []);
  }

  /** A new verdict takes the place of the one before; its detours are in force already. */
  async keep(verdict: Verdict): Promise<void> {
    this.#current = verdict;
    try {
      await keepVerdict(this.db, { device: keyOf(await machine()), verdict, made: verdict.made });
    } catch (error) {
      // on a full disk the verdict lives as long as the tab
      if (!(error instanceof StorageFull)) throw error;
    }
  }
}

/** A newer version may compute rightly what this one does not. */
const keyOf = (engine: Engine) => deviceKey(`self-test ${version}`, engine);
