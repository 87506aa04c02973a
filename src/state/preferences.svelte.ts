/**
 * What a person has set about this machine and the hub, as opposed to a run: the memory training may take and the address models
 * come from. Kept in this browser. The token for gated models is held in memory only and is gone with the tab.
 */
import * as v from 'valibot';
import { DEFAULT_HUB } from '../protocol/models';
import type { Bytes } from '../units';

const KEY = 'loratory.preferences';
const GIB: Bytes = 2 ** 30;
const schema = v.strictObject({
  memory: v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0.25), v.maxValue(1024))),
  hub: v.string(),
});

export class Preferences {
  /** GiB that training may take; null: not set. */
  memory: number | null = $state(null);
  /** Base address of the hub, without a slash at its end. */
  hub = $state(DEFAULT_HUB);
  /** Never stored. */
  token = $state('');

  budget: Bytes | null = $derived(this.memory === null ? null : this.memory * GIB);

  /** `origin` is the page's own: a mirror is served beside the page, since the page may speak to no other host. */
  constructor(
    private readonly store: Pick<Storage, 'getItem' | 'setItem'> | null,
    private readonly origin: string,
  ) {
    const kept = store?.getItem(KEY);
    if (kept === null || kept === undefined) return;
    try {
      const { memory, hub } = v.parse(schema, JSON.parse(kept));
      this.memory = memory;
      if (this.whyNotHub(hub) === null) this.hub = hub;
    } catch {
      // Kept by another version: nothing is set.
    }
  }

  setMemory(gib: number | null): void {
    if (gib !== null && !(gib >= 0.25 && gib <= 1024)) return;
    this.memory = gib;
    this.#keep();
  }

  /** A sentence that says why an address cannot be the hub's, or null. */
  whyNotHub(address: string): string | null {
    const parsed = addressOf(address);
    if (parsed === null) return `“${address}” is not an address. It begins with https:// and names a host.`;
    const { origin, username, password, search, hash } = parsed;
    if (username !== '' || password !== '' || search !== '' || hash !== '')
      return 'The address of a hub has no name, password or question in it, and the page would keep it. A token has a field of its own, and is forgotten with the tab.';
    if (origin === this.origin || origin === DEFAULT_HUB) return null;
    return `This page may fetch from ${DEFAULT_HUB} and from its own address, ${this.origin}, and from nowhere else. A mirror has to be served beside the page.`;
  }

  /** Returns why it was refused, or null. */
  setHub(address: string): string | null {
    const wanted = address.trim().replace(/\/+$/, '') || DEFAULT_HUB;
    const refused = this.whyNotHub(wanted);
    if (refused !== null) return refused;
    this.hub = wanted;
    this.#keep();
    return null;
  }

  #keep(): void {
    try {
      this.store?.setItem(KEY, JSON.stringify({ memory: this.memory, hub: this.hub }));
    } catch {
      // A full or forbidden localStorage costs only the memory of these two.
    }
  }
}

function addressOf(text: string): Readonly<URL> | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
