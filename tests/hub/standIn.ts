/**
 * A hub to test against: the URL layout, redirects and CORS of the real one, faults by switch, and a limit to its rate. The
 * files themselves come from a second address, as on the real hub, where a token must never arrive.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { answerHub, readPath, refuse, sendFile } from '../../scripts/hubLayout.mjs';
import type { FindRepository, ServedFile } from '../../scripts/hubLayout.mjs';

export type Fault =
  | { kind: 'status'; status: number; code?: string; retryAfter?: string }
  /** The connection is closed after so many bytes of the body. */
  | { kind: 'cut'; after: number }
  /** The body is longer or shorter than was asked for, and the header says so. */
  | { kind: 'length'; by: number }
  | { kind: 'ignores-range' }
  | { kind: 'html' }
  /** For `always`: each step of the circle is a request. */
  | { kind: 'loop' }
  /** One byte of the file is another, at this place. */
  | { kind: 'wrong-byte'; at: number }
  | { kind: 'elsewhere'; to: string };

export interface Request {
  host: 'hub' | 'storage';
  path: string;
  range: string | null;
  authorization: string | null;
}

export interface StandIn {
  /** Address of the hub itself. */
  url: string;
  /** Where it sends on to. */
  storageUrl: string;
  requests: Request[];
  /** Faults of the next requests for files, one each; null lets one through. */
  faults: (Fault | null)[];
  /** A fault of every request for a file. */
  always: Fault | null;
  /** Bytes per second of each answer from the storage; Infinity is as fast as it goes. */
  rate: number;
  /** Asked for where a repository is gated. */
  token: string | null;
  answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  close(): Promise<void>;
}

/** `redirects`: files are sent on to a second address; without, the hub sends them itself, as a mirror does. */
export async function standInHub(find: FindRepository, { redirects = true } = {}): Promise<StandIn> {
  const storage = createServer((request, response) => void fromStorage(request, response));
  const hub = createServer((request, response) => {
    const path = (request.url ?? '/').slice(1).split('?')[0] ?? '';
    void standIn.answer(path, request, response).then((known) => {
      if (!known) refuse(response, 404, '', 'No path of a hub.');
    });
  });
  const storageUrl = await listen(storage);
  const standIn: StandIn = {
    url: await listen(hub),
    storageUrl,
    requests: [],
    faults: [],
    always: null,
    rate: Infinity,
    token: null,
    answer: fromHub,
    close: async () => {
      await Promise.all([hub, storage].map(closeServer));
    },
  };
  return standIn;

  function note(host: Request['host'], path: string, { headers }: IncomingMessage): void {
    standIn.requests.push({
      host,
      path,
      range: headers.range ?? null,
      authorization: headers.authorization ?? null,
    });
  }

  async function fromHub(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const asked = readPath(path);
    if (!asked) return false;
    if (request.method === 'OPTIONS') return answerHub(find, path, request, response);
    note('hub', path, request);
    response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '*');
    response.setHeader('Access-Control-Expose-Headers', 'X-Error-Code, Content-Range, ETag');
    if (standIn.token !== null && request.headers.authorization !== `Bearer ${standIn.token}`) {
      refuse(response, 401, 'GatedRepo', 'Access to this model is restricted.');
      return true;
    }
    const large = asked.kind === 'file' && /\.(safetensors|gguf)$/.test(asked.file);
    const fault = large ? (standIn.faults.shift() ?? standIn.always) : null;
    if (fault?.kind === 'status') {
      const headers = fault.retryAfter === undefined ? {} : { 'Retry-After': fault.retryAfter };
      refuse(response, fault.status, fault.code ?? '', 'A fault by switch.', headers);
    } else if (fault?.kind === 'html') {
      response
        .writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
        .end('<h1>Sign in to this network</h1>');
    } else if (fault?.kind === 'loop') {
      response.writeHead(302, { Location: `${standIn.url}${path}` }).end();
    } else if (fault?.kind === 'elsewhere') {
      response.writeHead(302, { Location: fault.to }).end();
    } else if (large && redirects) {
      const with_ = fault === null ? '' : `?fault=${encodeURIComponent(JSON.stringify(fault))}`;
      response.writeHead(302, { Location: `${storageUrl}${path}${with_}` }).end();
    } else if (large) await send(asked.repository, asked.file, fault, request, response);
    else await answerHub(find, path, request, response);
    return true;
  }

  async function fromStorage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', storageUrl);
    const path = url.pathname.slice(1);
    note('storage', path, request);
    response.setHeader('Access-Control-Allow-Origin', '*');
    const asked = readPath(path);
    const fault = url.searchParams.get('fault');
    if (asked?.kind === 'file')
      await send(
        asked.repository,
        asked.file,
        fault === null ? null : (JSON.parse(fault) as Fault),
        request,
        response,
      );
    else refuse(response, 404, '', 'Not here.');
  }

  async function send(
    repository: string,
    name: string,
    fault: Fault | null,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const found = await find(repository);
    const file = found?.files.find((one) => one.name === name);
    if (!found || !file) return refuse(response, 404, 'EntryNotFound', 'Not here.');
    if (fault?.kind === 'ignores-range') delete request.headers.range;
    if (fault?.kind === 'length' && request.headers.range !== undefined)
      request.headers.range = request.headers.range.replace(/\d+$/, (last) =>
        String(Number(last) + fault.by),
      );
    await sendFile(disturbed(file, fault, response, standIn.rate), found.commit, request, response);
  }
}

function disturbed(
  file: ServedFile,
  fault: Fault | null,
  response: ServerResponse,
  rate: number,
): ServedFile {
  const { name, bytes } = file;
  return {
    name,
    bytes,
    sha256: null,
    read(begin, end) {
      response.flushHeaders(); // a body that is cut has begun
      let at = begin;
      const started = performance.now();
      const through = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const own = Buffer.from(chunk);
          if (fault?.kind === 'wrong-byte' && fault.at >= at && fault.at < at + own.length)
            own[fault.at - at] = (own[fault.at - at] ?? 0) ^ 0x10;
          at += own.length;
          if (fault?.kind === 'cut' && at - begin > fault.after) {
            this.push(own.subarray(0, Math.max(0, own.length - (at - begin - fault.after))));
            setTimeout(() => response.destroy(), 20);
            return;
          }
          const due = started + ((at - begin) / rate) * 1000 - performance.now();
          if (due > 2) setTimeout(() => done(null, own), due);
          else done(null, own);
        },
      });
      return file.read(begin, end).pipe(through);
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return `http://127.0.0.1:${address.port}/`;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
