/** The parts of a screen over fake remotes, as src/main.ts puts them together over real ones. */
import { Clock } from '../../src/state/clock.svelte';
import { Elsewhere, type TabMessage } from '../../src/state/elsewhere.svelte';
import { Route } from '../../src/state/route.svelte';
import { Session, type Surroundings } from '../../src/state/session.svelte';
import { Theme } from '../../src/state/theme.svelte';
import { Update } from '../../src/state/update.svelte';
import { FakeTrainer, fakeDataset } from './fakes';
import { get } from './samples/data';

/** What a session needs, all of it fake; `changes` puts in the parts that a test plays with. */
export function around(changes: Partial<Surroundings> = {}): Surroundings {
  return {
    trainer: new FakeTrainer(),
    dataset: fakeDataset(),
    browser: { persist: async () => true, forget: async () => undefined },
    get,
    store: null,
    origin: 'http://localhost:5173',
    deviceMemory: 8,
    restartTrainer: () => undefined,
    ...changes,
  };
}

export function screen(trainer = new FakeTrainer(), dataset = fakeDataset()) {
  const channel = {
    postMessage: (_: TabMessage) => undefined,
    onmessage: null as ((event: MessageEvent) => void) | null,
  };
  const session = new Session(around({ trainer, dataset }));
  const props = {
    session,
    route: new Route(location),
    theme: new Theme(document.documentElement, null),
    clock: new Clock(),
    elsewhere: new Elsewhere(channel),
    update: new Update(),
  };
  return { trainer, dataset, session, channel, props };
}
