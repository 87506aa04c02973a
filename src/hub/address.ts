/** Addresses of a hub: which hosts may be asked, and where things of a repository lie. Asks nobody. */
import { HubError } from './hubError';

const PUBLIC_HUB = 'https://huggingface.co';

/** A hub that may be asked: the public one, or a mirror on the page's own origin. */
export function hubBase(address: string, pageOrigin: string | null): URL {
  let base: URL;
  try {
    base = new URL(address.endsWith('/') ? address : `${address}/`, pageOrigin ?? undefined);
  } catch {
    throw new HubError('wrong-host', `${JSON.stringify(address)} is not the address of a hub.`);
  }
  if (base.origin !== PUBLIC_HUB && base.origin !== pageOrigin)
    throw new HubError(
      'wrong-host',
      `This page asks ${PUBLIC_HUB} or a mirror on its own address${pageOrigin === null ? '' : ` (${pageOrigin})`}, not ${base.origin}.`,
    );
  if (base.username !== '' || base.password !== '' || base.search !== '' || base.hash !== '')
    throw new HubError('wrong-host', 'The address of a hub has no name, password or question in it.');
  return base;
}

/** Where a hub may send on to: itself, and the storage hosts of the public one. */
export function mayAnswer(base: URL, answered: string): boolean {
  const { origin, protocol, hostname } = new URL(answered);
  if (origin === base.origin || origin === PUBLIC_HUB) return true;
  return base.origin === PUBLIC_HUB && protocol === 'https:' && hostname.endsWith('.hf.co');
}

/** "ORG/NAME" as hubs have them. */
export function checkRepository(repository: string): void {
  const part = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?';
  if (
    repository.length <= 200 &&
    new RegExp(`^${part}/${part}$`).test(repository) &&
    !/\.\.|--/.test(repository)
  )
    return;
  throw new HubError(
    'not-found',
    `${JSON.stringify(repository)} is not the name of a repository. It looks like Qwen/Qwen2.5-0.5B-Instruct.`,
  );
}

export function checkRevision(revision: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/.test(revision) && !/\.\.|\/\//.test(revision)) return;
  throw new HubError(
    'not-found',
    `${JSON.stringify(revision)} is not a revision: a branch such as main, a tag or a commit.`,
  );
}

const path = (text: string) => text.split('/').map(encodeURIComponent).join('/');

export function revisionAddress(base: URL, repository: string, revision: string): URL {
  return new URL(`api/models/${path(repository)}/revision/${encodeURIComponent(revision)}?blobs=true`, base);
}

export function fileAddress(base: URL, repository: string, commit: string, file: string): URL {
  return new URL(`${path(repository)}/resolve/${encodeURIComponent(commit)}/${path(file)}`, base);
}
