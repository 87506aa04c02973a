/** What was asked of hubs since the page was opened, for a person to see. In memory only; the last ones, without tokens. */
import type { HubRequest } from '../protocol/models';
import type { HubAccess } from './request';

const MOST = 200;

export class RequestLog {
  #entries: HubRequest[] = [];

  /** Newest first. */
  get entries(): HubRequest[] {
    return this.#entries.map((entry) => ({ ...entry })).reverse();
  }

  /** The same fetch, with an entry for every request: no request passes beside it. */
  watch(fetch: HubAccess['fetch']): HubAccess['fetch'] {
    return async (url, init) => {
      const entry: HubRequest = {
        at: Date.now(),
        host: url.host,
        path: url.pathname, // what follows the path may be a signature
        bytes: rangeBytes(init.headers),
        status: null,
      };
      this.#entries = [...this.#entries.slice(1 - MOST), entry];
      try {
        const response = await fetch(url, init);
        entry.status = response.status;
        if (response.url !== '') entry.host = new URL(response.url).host;
        const length = response.headers.get('content-length');
        if (entry.bytes === null && length !== null) entry.bytes = Number(length);
        return response;
      } catch (error) {
        entry.status = 'no answer';
        throw error;
      }
    };
  }
}

function rangeBytes(headers: HeadersInit | undefined): number | null {
  const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(headers).get('range') ?? '') ?? [];
  return begin === undefined || end === undefined ? null : Number(end) - Number(begin) + 1;
}
