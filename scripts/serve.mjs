/**
 * Serves the built app on localhost: `node scripts/serve.mjs [--port N] [--models DIR] [--host NAME]`. Plain files with the
 * headers a host should send. With --models a folder DIR/ORG/NAME/files… is served too, in the hub's layout under /hub/, and
 * to the whole network: a classroom loads from one machine. Not a development server (that is `npm run dev`).
 */
import { createReadStream, existsSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { extname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CSP_HEADER } from './csp.mjs';
import { answerHub } from './hubLayout.mjs';
import { modelFolder } from './modelFolder.mjs';

const DIST = resolve(import.meta.dirname, '../dist');

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.jsonl': 'application/jsonl; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/**
 * The file a request names, or null: nothing outside `folder` is ever served, not even through a link inside it.
 * @param {string} folder @param {string} path @returns {string | null}
 */
export function fileFor(folder, path) {
  let name;
  try {
    name = decodeURIComponent(path);
  } catch {
    return null;
  }
  if (name.includes('\0') || name.includes('\\')) return null;
  const root = realpathSync(folder);
  const wanted = join(root, name.endsWith('/') ? `${name}index.html` : name);
  if (!existsSync(wanted)) return null;
  const real = realpathSync(wanted);
  return real.startsWith(root + sep) && statSync(real).isFile() ? real : null;
}

/**
 * Answers a request for a path below the hub's address; false where it is none.
 * @typedef {(path: string, request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => Promise<boolean>} Hub
 */

/** @param {string} folder @param {Hub | null} hub */
function answer(folder, hub) {
  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  return async (request, response) => {
    response.setHeader('Content-Security-Policy', CSP_HEADER);
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      return;
    }
    const path = (request.url ?? '/').split(/[?#]/)[0] ?? '/';
    if (hub && path.startsWith('/hub/') && (await hub(path.slice(5), request, response))) return;
    const file = fileFor(folder, path);
    if (!file) {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`No such file: ${path}\n`);
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Length': statSync(file).size,
      // Files under assets/ carry their hash in the name.
      'Cache-Control': path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file).pipe(response);
  };
}

/**
 * Starts the server on `port`, or on the next free one. Port 0 lets the system choose. `hub` answers below /hub/.
 * @param {{ folder?: string, port?: number, host?: string, hub?: Hub | null }} [options]
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve({ folder = DIST, port = 4173, host = 'localhost', hub = null } = {}) {
  if (!existsSync(join(folder, 'index.html')))
    throw new Error(`There is no built app in ${folder}. Run: npm run build`);
  const respond = answer(folder, hub);
  const server = createServer((request, response) => void respond(request, response));
  for (let candidate = port; ; candidate++) {
    const error = await new Promise((done) => {
      server.once('error', done);
      server.listen(candidate, host, () => {
        server.removeListener('error', done);
        done(null);
      });
    });
    if (!error) break;
    if (error.code !== 'EADDRINUSE' || candidate >= port + 50) throw error;
  }
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('The server has no port.');
  return {
    url: `http://localhost:${address.port}/`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** @param {string} name @returns {string | null} */
function option(name) {
  const at = process.argv.indexOf(name);
  return at === -1 ? null : (process.argv[at + 1] ?? '');
}

/** This machine as others on the network see it. @returns {string[]} */
function ownAddresses() {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const port = Number(option('--port') ?? 4173);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    console.error(`--port wants a number from 0 to 65535, not ${option('--port') || 'nothing'}.`);
    process.exit(2);
  }
  try {
    const named = option('--models');
    const models = named === null ? null : modelFolder(named);
    /** @type {Hub | null} */
    const hub = models && ((path, request, response) => answerHub(models.find, path, request, response));
    const host = option('--host') ?? (models ? '0.0.0.0' : 'localhost');
    const { url } = await serve({ port, host, hub });
    console.log(`Loratory is at ${url}  (Ctrl+C ends it)`);
    if (models) {
      console.log(`Models: ${models.list().join(', ') || 'none yet; put them in as ORG/NAME/files'}`);
      for (const address of ownAddresses()) {
        const seen = url.replace('localhost', address);
        console.log(`On the network: ${seen}  with the hub address ${seen}hub`);
      }
      // WebGPU and storage of the browser are for secure addresses only
      console.log(
        'Browsers give WebGPU to https and localhost only: put an https proxy in front for other machines.',
      );
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
