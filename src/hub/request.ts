/**
 * One request to a hub and what its answer means. Sends no header but a two-ended range and, to the hub itself, the token; so
 * no request needs a preflight without a token, and the browser takes the token off where the hub sends on to another host.
 */
import type { Bytes, Milliseconds } from '../units';
import { mayAnswer } from './address';
import { Ended, HubError } from './hubError';

export interface HubAccess {
  base: URL;
  token: string | null;
  signal: AbortSignal;
  fetch: (url: URL, init: RequestInit) => Promise<Response>;
  /** Waits, or rejects when `signal` says so. */
  sleep: (time: Milliseconds, signal: AbortSignal) => Promise<void>;
  /** Told before each wait. */
  onWait: (message: string) => void;
}

/** Tries without a single byte in between. */
export const TRIES = 6;
/** A hub that asks for more patience is not waited for. */
const LONGEST_WAIT = 15 * 60_000;

/** Asks until there is an answer that can be read, waiting between tries; throws a HubError where asking again is no use. */
export async function ask(
  access: HubAccess,
  url: URL,
  what: string,
  range: { begin: Bytes; end: Bytes } | null,
): Promise<Response> {
  for (let tried = 1; ; tried++) {
    const answer = await askOnce(access, url, what, range);
    if (answer instanceof Response) return answer;
    if (tried === TRIES) throw answer.error;
    await wait(access, answer.error, answer.retryAfter ?? backOff(tried));
  }
}

/** 1, 2, 4 … 30 seconds, spread so that a classroom does not come back at once. */
export function backOff(tried: number): Milliseconds {
  return Math.min(30_000, 1000 * 2 ** (tried - 1)) * (0.75 + 0.5 * Math.random());
}

export async function wait(access: HubAccess, error: HubError, time: Milliseconds): Promise<void> {
  if (time > LONGEST_WAIT) throw error;
  access.onWait(`${error.message} Trying again in ${Math.ceil(time / 1000)} s.`);
  await access.sleep(time, access.signal);
}

type Again = { error: HubError; retryAfter: Milliseconds | null };

async function askOnce(
  access: HubAccess,
  url: URL,
  what: string,
  range: { begin: Bytes; end: Bytes } | null,
): Promise<Response | Again> {
  let response: Response;
  try {
    response = await access.fetch(url, init(access, range, 'follow'));
  } catch (cause) {
    if (access.signal.aborted) throw new Ended();
    return { error: await whyNoAnswer(access, url, what, range, cause), retryAfter: null };
  }
  if (!mayAnswer(access.base, response.url || url.href)) {
    void response.body?.cancel();
    throw new HubError(
      'wrong-host',
      `${what}: the hub sent on to ${new URL(response.url).host}, which is no host of it.`,
    );
  }
  if (response.ok) {
    if (!/^text\/html/i.test(response.headers.get('content-type') ?? '')) return response;
    void response.body?.cancel();
    throw new HubError(
      'not-bytes',
      `${what}: ${url.host} answered with a web page. A login page of this network may stand between; open ${url.origin} in a tab to see.`,
      response.status,
    );
  }
  void response.body?.cancel();
  return refusal(response, access, url, what);
}

function init(access: HubAccess, range: { begin: Bytes; end: Bytes } | null, redirect: RequestRedirect) {
  const headers: Record<string, string> = {};
  if (range) headers['Range'] = `bytes=${range.begin}-${range.end - 1}`;
  if (access.token !== null) headers['Authorization'] = `Bearer ${access.token}`;
  return {
    headers,
    redirect,
    signal: access.signal,
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
  } satisfies RequestInit;
}

/** The platform has one error for all that goes wrong on the way; a redirect shows when it is not followed. */
async function whyNoAnswer(
  access: HubAccess,
  url: URL,
  what: string,
  range: { begin: Bytes; end: Bytes } | null,
  cause: unknown,
): Promise<HubError> {
  try {
    const first = await access.fetch(url, init(access, range, 'manual'));
    void first.body?.cancel();
    if (first.type === 'opaqueredirect' || (first.status >= 300 && first.status < 400))
      return new HubError(
        'redirects',
        `${what}: ${url.host} sends on in a circle, or to a host that cannot be reached.`,
        null,
        cause,
      );
  } catch {
    if (access.signal.aborted) throw new Ended();
  }
  return new HubError(
    'unreachable',
    `${what}: ${url.host} cannot be reached. Check the network; what was loaded stays.`,
    null,
    cause,
  );
}

/** Throws where asking again is no use. */
function refusal(response: Response, access: HubAccess, url: URL, what: string): Again {
  const { status } = response;
  const code = response.headers.get('x-error-code') ?? '';
  const signed = access.token !== null;
  const retryAfter = readRetryAfter(response.headers.get('retry-after'));
  if (status === 429 || status === 503) {
    const busy = status === 429 ? 'asks for fewer requests' : 'is busy';
    const reason = status === 429 ? 'too-many-requests' : 'server-error';
    return { error: new HubError(reason, `${what}: ${url.host} ${busy} (${status}).`, status), retryAfter };
  }
  if (status >= 500 || status === 408)
    return {
      error: new HubError('server-error', `${what}: ${url.host} has a fault of its own (${status}).`, status),
      retryAfter,
    };
  if (code === 'GatedRepo' || status === 403)
    throw new HubError(
      'no-access',
      signed
        ? `${what}: the owner has not given this token access (${status}). Accept the terms on the model’s page, or use another token.`
        : `${what}: the owner asks to accept terms first (${status}). Accept them on the model’s page, then give a token with read access.`,
      status,
    );
  if (status === 401)
    throw new HubError(
      'not-signed-in',
      signed
        ? `${what}: ${url.host} does not take this token (401). Make a new one with read access.`
        : `${what}: there is no such repository, or it is private or gated (401). Check the name, or give a token with read access.`,
      status,
    );
  if (status === 404 || status === 410)
    throw new HubError(
      'not-found',
      `${what} is not on ${url.host} (${status}). Check name and revision.`,
      status,
    );
  if (status === 416)
    throw new HubError('wrong-length', `${what} is shorter than the hub said (416).`, status);
  throw new HubError('unexpected', `${what}: ${url.host} answered with status ${status}.`, status);
}

/** Seconds, or a date. */
export function readRetryAfter(header: string | null): Milliseconds | null {
  if (header === null) return null;
  if (/^\d+$/.test(header.trim())) return 1000 * Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

/** Sleeps as `HubAccess.sleep` says. */
export function sleep(time: Milliseconds, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, time);
    const end = () => {
      clearTimeout(timer);
      reject(new Ended());
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
