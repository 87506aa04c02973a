/**
 * A folder of models, DIR/ORG/NAME/files…, as repositories for hubLayout.mjs. The commit of one is a hash over the names, sizes
 * and times of its files, so that it changes when they do. Hashes of large files are computed once, in the background.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

const SERVED = /\.(safetensors|gguf|json|jinja|txt|model|md)$/;
/** Smaller files have no hash of their own, as on the hub. */
const LARGE = 10 * 2 ** 20;

/** @param {string} folder */
export function modelFolder(folder) {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new Error(`--models names ${folder}, and there is no such folder.`);
  const root = realpathSync(folder);
  /** @type {Map<string, string | null>} path, size and time → sha256, or null while it is computed */
  const hashes = new Map();
  /** @type {Promise<void>} */
  let queue = Promise.resolve();

  /** @param {string} path @param {import('node:fs').Stats} stats */
  function hashOf(path, stats) {
    if (stats.size < LARGE) return null;
    const key = `${path} ${stats.size} ${stats.mtimeMs}`;
    const known = hashes.get(key);
    if (known !== undefined) return known;
    hashes.set(key, null);
    queue = queue.then(async () => {
      const hash = createHash('sha256');
      await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash);
      hashes.set(key, hash.digest('hex'));
    });
    queue.catch(() => hashes.delete(key)); // gone meanwhile: no hash is given
    return null;
  }

  /** @param {string} repository @returns {Promise<import('./hubLayout.mjs').ServedRepository | null>} */
  async function find(repository) {
    if (!/^[\w.-]+\/[\w.-]+$/.test(repository) || repository.includes('..')) return null;
    const place = join(root, repository);
    if (!existsSync(place)) return null;
    const real = realpathSync(place);
    if (!real.startsWith(root + sep) || !statSync(real).isDirectory()) return null;
    const commit = createHash('sha1');
    const files = readdirSync(real)
      .filter((name) => SERVED.test(name) && statSync(join(real, name)).isFile())
      .sort()
      .map((name) => {
        const path = realpathSync(join(real, name));
        const stats = statSync(path);
        commit.update(`${name}\n${stats.size}\n${stats.mtimeMs}\n`);
        return {
          name,
          bytes: stats.size,
          sha256: hashOf(path, stats),
          /** @param {number} begin @param {number} end */
          read: (begin, end) =>
            createReadStream(path, { start: begin, end: end - 1, highWaterMark: 2 ** 20 }),
        };
      });
    return files.length === 0 ? null : { commit: commit.digest('hex'), files, licence: null };
  }

  /** @returns {string[]} */
  function list() {
    const folders = (/** @type {string} */ path) =>
      readdirSync(path).filter((name) => !name.startsWith('.') && statSync(join(path, name)).isDirectory());
    return folders(root).flatMap((organisation) =>
      folders(join(root, organisation)).map((name) => `${organisation}/${name}`),
    );
  }
  // hashes are ready before the class is
  for (const repository of list()) void find(repository);
  return { find, list };
}
