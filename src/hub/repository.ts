/** What is in a repository at a revision: the commit, the files with sizes and hashes, the small texts. Fetches no weights. */
import type { HubFile } from '../protocol/models';
import type { Bytes } from '../units';
import { checkRepository, checkRevision, fileAddress, revisionAddress } from './address';
import { Ended, HubError } from './hubError';
import { ask, backOff, TRIES, wait, type HubAccess } from './request';

export interface Repository {
  repository: string;
  commit: string;
  files: HubFile[];
  licence: string | null;
  gated: boolean;
}

/** A tokenizer.json of a large vocabulary has about 20 MB. */
const LARGEST_TEXT: Bytes = 64 * 2 ** 20;

export async function readRepository(
  access: HubAccess,
  repository: string,
  revision: string,
): Promise<Repository> {
  checkRepository(repository);
  checkRevision(revision);
  const what = `${repository} at ${revision}`;
  const facts: unknown = parse(
    await askText(access, revisionAddress(access.base, repository, revision), what),
    what,
  );
  if (!isRecord(facts)) throw unreadable(what, 'no object');
  const commit = facts['sha'];
  if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit)) throw unreadable(what, 'no commit');
  const siblings: unknown = facts['siblings'];
  if (!Array.isArray(siblings)) throw unreadable(what, 'no list of files');
  const card = isRecord(facts['cardData']) ? facts['cardData'] : {};
  const licence = card['license'];
  return {
    repository,
    commit,
    files: siblings.flatMap((entry: unknown) => readFile(entry, what)),
    licence: typeof licence === 'string' ? licence : null,
    gated: facts['gated'] !== undefined && facts['gated'] !== false,
  };
}

/** A small file as text. */
export async function readText(
  access: HubAccess,
  { repository, commit }: Pick<Repository, 'repository' | 'commit'>,
  file: string,
): Promise<string> {
  return askText(access, fileAddress(access.base, repository, commit, file), file);
}

/** A text is small: one that breaks off is asked for again from its start. */
async function askText(access: HubAccess, url: URL, what: string): Promise<string> {
  for (let tried = 1; ; tried++) {
    const response = await ask(access, url, what, null);
    try {
      return await limitedText(response, what);
    } catch (cause) {
      if (cause instanceof HubError) throw cause;
      if (access.signal.aborted) throw new Ended();
      const error = new HubError('cut-off', `${what}: the connection broke.`, null, cause);
      if (tried === TRIES) throw error;
      await wait(access, error, backOff(tried));
    }
  }
}

/** One entry of the list; a folder or an odd name is left out, since nothing by such a name is ever asked for. */
function readFile(entry: unknown, what: string): HubFile[] {
  const name = isRecord(entry) ? entry['rfilename'] : null;
  if (!isRecord(entry) || typeof name !== 'string') throw unreadable(what, 'a file without a name');
  if (!/^[\w.+-]+(\/[\w.+-]+)*$/.test(name) || name.includes('..')) return [];
  const lfs = isRecord(entry['lfs']) ? entry['lfs'] : {};
  const bytes = lfs['size'] ?? entry['size'];
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0)
    throw unreadable(what, `no size of ${name}`);
  const sha256 = lfs['sha256'];
  return [
    { name, bytes, sha256: typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null },
  ];
}

async function limitedText(response: Response, what: string): Promise<string> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || !value) break;
    size += value.length;
    if (size > LARGEST_TEXT) {
      void reader?.cancel();
      throw new HubError('wrong-length', `${what} has more than ${LARGEST_TEXT} bytes, too many for a text.`);
    }
    pieces.push(value);
  }
  const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new HubError('not-bytes', `${what} is not a text in UTF-8.`, null, cause);
  }
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable(what, 'no JSON');
  }
}

function unreadable(what: string, found: string): HubError {
  return new HubError('unexpected', `${what}: the hub’s answer cannot be read (${found}).`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
