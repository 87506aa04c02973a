/** Lets code that asks the public hub talk to the stand-in: its two addresses under the names that the real one has. */
import type { HubAccess } from '../../src/hub/request';
import type { StandIn } from './standIn';

const HUB = 'https://huggingface.co/';
const STORAGE = 'https://cas-bridge.hf.co/';

export function asPublicHub(standIn: StandIn): HubAccess['fetch'] {
  return async (url, init) => {
    const response = await fetch(url.href.replace(HUB, standIn.url), init);
    const host = response.url.startsWith(standIn.url) ? standIn.url : `${new URL(response.url).origin}/`;
    const known = host === standIn.url ? HUB : standIn.storageUrl === host ? STORAGE : host;
    return Object.defineProperty(response, 'url', { value: response.url.replace(host, known) });
  };
}
