/** Locks between tabs. Where the browser has none, and in Node, each tab does as if it were alone. */
import { BusyElsewhere } from '../failures';

const INTAKE = 'loratory-models-coming-in';
// absent in Node and outside secure contexts
const locks = (): LockManager | undefined => globalThis.navigator?.locks;

/** One tab at a time trains: two would share one graphics card. The lock is free at once when a tab closes or crashes. */
export const whileTraining = (work: () => Promise<void>): Promise<void> =>
  alone('loratory-training', undefined, work);

/** One tab at a time loads a model. */
export const whileLoading = <T>(modelId: string, work: () => Promise<T>): Promise<T> =>
  alone(
    `loratory-model-${modelId}`,
    'Another tab is loading this model. Watch it there, or close that tab.',
    work,
  );

async function alone<T>(name: string, message: string | undefined, work: () => Promise<T>): Promise<T> {
  const manager = locks();
  if (!manager) return work();
  return manager.request(name, { ifAvailable: true }, async (lock) => {
    if (!lock) throw new BusyElsewhere(message);
    return work();
  });
}

/** While this runs, parts that belong to no record yet are not tidied away, in this tab or another. */
export async function whileTakingIn<T>(work: () => Promise<T>): Promise<T> {
  const manager = locks();
  return manager ? manager.request(INTAKE, { mode: 'shared' }, work) : work();
}

/** Only if no tab is taking in. */
export async function unlessTakingIn(work: () => Promise<void>): Promise<void> {
  const manager = locks();
  if (!manager) return work();
  await manager.request(INTAKE, { ifAvailable: true }, async (lock) => (lock ? work() : undefined));
}
