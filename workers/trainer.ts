/** The trainer worker: owns the GPU and the database, and hands its service to the page. */
import { expose } from 'comlink';
import type { TrainerApi } from '../src/protocol/trainerApi';
import { openStorage } from '../src/storage/database';
import { trainerService } from './service';

// Calls that arrive before the database is open would be lost, so the service is handed out at once and waits by itself.
const service = openStorage().then((db) => trainerService(db, new URL('../demo/', self.location.href)));

/** Every method of the API, waiting for the service first. */
const api = new Proxy(
  {},
  {
    get:
      (_, method: keyof TrainerApi) =>
      async (...args: unknown[]) => {
        const ready = await service;
        return Reflect.apply(ready[method], ready, args) as unknown;
      },
  },
);

expose(api);
