/**
 * Answers requests in the URL layout of the Hugging Face hub: what a repository holds at a revision, and its files by ranges.
 * Where the repositories come from is not known here: a folder (modelFolder.mjs) or, in tests, a generator.
 *
 * @typedef {{ name: string, bytes: number, sha256: string | null, read: (begin: number, end: number) => import('node:stream').Readable }} ServedFile
 * @typedef {{ commit: string, files: ServedFile[], licence: string | null, gated?: boolean }} ServedRepository
 * @typedef {(repository: string) => Promise<ServedRepository | null>} FindRepository
 */
import { pipeline } from 'node:stream/promises';

const EXPOSED =
  'X-Repo-Commit, X-Error-Code, ETag, Accept-Ranges, Content-Range, X-Linked-Size, X-Linked-ETag';

/**
 * The part of a path below the hub's address: what is asked for, or null.
 * @param {string} path without leading slash
 */
export function readPath(path) {
  const parts = path.split('/').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return '';
    }
  });
  if (parts.includes('')) return null;
  const [one = '', two = '', organisation, name, word, revision] = parts;
  if (one === 'api' && two === 'models' && word === 'revision' && parts.length === 6)
    return {
      kind: /** @type {const} */ ('revision'),
      repository: `${organisation}/${name}`,
      revision: revision ?? '',
    };
  if (parts[2] === 'resolve' && parts.length >= 5)
    return {
      kind: /** @type {const} */ ('file'),
      repository: `${one}/${two}`,
      revision: parts[3] ?? '',
      file: parts.slice(4).join('/'),
    };
  return null;
}

/**
 * Answers a request for `path` below the hub's address. False: no path of a hub.
 * @param {FindRepository} find
 * @param {string} path
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
export async function answerHub(find, path, request, response) {
  const asked = readPath(path);
  if (!asked) return false;
  response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '*');
  response.setHeader('Access-Control-Expose-Headers', EXPOSED);
  response.setHeader('Vary', 'Origin');
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  if (request.method === 'OPTIONS') {
    response.setHeader('Access-Control-Allow-Headers', 'authorization, range');
    response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD');
    response.writeHead(204).end();
    return true;
  }
  const repository = await find(asked.repository);
  const commit = repository?.commit;
  if (!repository || !commit || (asked.revision !== 'main' && asked.revision !== commit)) {
    const code = repository ? 'RevisionNotFound' : 'RepoNotFound';
    refuse(response, 404, code, `There is no ${asked.repository} at ${asked.revision} here.`);
    return true;
  }
  if (asked.kind === 'revision') {
    const siblings = repository.files.map(({ name, bytes, sha256 }) => ({
      rfilename: name,
      size: bytes,
      ...(sha256 === null ? {} : { lfs: { sha256, size: bytes, pointerSize: 135 } }),
    }));
    const { licence, gated = false } = repository;
    const body = JSON.stringify({
      id: asked.repository,
      sha: commit,
      private: false,
      gated,
      cardData: licence === null ? {} : { license: licence },
      siblings,
    });
    response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(body);
    return true;
  }
  const file = repository.files.find(({ name }) => name === asked.file);
  if (!file) refuse(response, 404, 'EntryNotFound', `${asked.repository} has no ${asked.file}.`);
  else await sendFile(file, commit, request, response);
  return true;
}

/**
 * @param {import('node:http').ServerResponse} response @param {number} status @param {string} code @param {string} message
 * @param {Record<string, string>} [headers]
 */
export function refuse(response, status, code, message, headers = {}) {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    ...(code === '' ? {} : { 'X-Error-Code': code }),
    ...headers,
  });
  response.end(`${message}\n`);
}

/**
 * One range or the whole file.
 * @param {ServedFile} file @param {string} commit
 * @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response
 */
export async function sendFile({ name, bytes, sha256, read }, commit, request, response) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const begin = match ? Number(match[1]) : 0;
  const end = match && match[2] !== '' ? Math.min(bytes, Number(match[2]) + 1) : bytes;
  if (match && (begin >= bytes || begin >= end)) {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes}` }).end();
    return;
  }
  response.writeHead(match ? 206 : 200, {
    'Content-Type': name.endsWith('.json') ? 'application/json; charset=utf-8' : 'application/octet-stream',
    'Content-Length': end - begin,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-store',
    'X-Repo-Commit': commit,
    ETag: `"${sha256 ?? `${commit}-${bytes}`}"`,
    ...(match ? { 'Content-Range': `bytes ${begin}-${end - 1}/${bytes}` } : {}),
  });
  if (request.method === 'HEAD' || begin === end) {
    response.end();
    return;
  }
  await pipeline(read(begin, end), response).catch(() => undefined); // the reader went away
}
