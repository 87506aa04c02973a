/** The rules of the house as functions from a tree of sources to complaints. Reads no files. */
import { posix } from 'node:path';
import ts from 'typescript';

/** Folders of src in the order in which data flows: each may import from itself and from those before it. */
export const ORDER = [
  ...[
    'units',
    'random',
    'protocol',
    'dataset',
    'chat',
    'gpu',
    'ops',
    'checkpoint',
    'hub',
    'link',
    'model',
    'adapter',
    'training',
  ],
  ...['evaluation', 'exchange', 'selftest', 'benchmark', 'guide', 'storage', 'state', 'ui'],
];
/** Folders of workers in their order; the entries beside them may import from all. */
const WORKER_ROOMS = ['threads', 'device', 'models', 'adapters', 'runs'];
/** What the screen's two folders may know of: everything else lives behind a worker. */
const SCREEN_MAY_SEE = ['units', 'protocol', 'link', 'guide', 'state', 'ui'];
const LONGEST = 400;
const DRAWERS = /^(utils?|helpers?|common|misc|lib|manager|types|index)(\.|$)/i;

/** Paths from the project's root to the text of each file. */
export type Tree = ReadonlyMap<string, string>;

/** The modules a file imports, type-only and dynamic ones included. */
export function importsOf(path: string, text: string): string[] {
  const scripts = path.endsWith('.svelte')
    ? [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '')
    : [text];
  return scripts.flatMap((script) => {
    const { importedFiles } = ts.preProcessFile(script, true, true);
    // Workers are named by URL, not imported.
    const workers = [...script.matchAll(/new URL\(\s*'([^']+)',\s*import\.meta\.url/g)].map(
      (match) => match[1] ?? '',
    );
    return [...importedFiles.map((file) => file.fileName), ...workers];
  });
}

/** 'src/gpu/x.ts' → 'gpu', 'src/units.ts' → 'units', 'src/main.ts' → 'main', 'workers/x.ts' → '(workers)'. */
function roomOf(path: string): string {
  const [top, second] = path.split('/');
  if (top === 'src') return (second ?? '').replace(/\.(svelte\.)?ts$/, '');
  return `(${top ?? ''})`;
}

function mayImport(from: string, to: string): boolean {
  if (from === to || to === 'units' || to === 'protocol') return from !== 'units' || to === 'units';
  if (from === 'main') return ['state', 'ui', '(workers)'].includes(to) || SCREEN_MAY_SEE.includes(to);
  if (from === '(workers)') return ORDER.includes(to) && to !== 'state' && to !== 'ui';
  if (to === '(shaders)') return from === 'gpu' || from === 'ops';
  if (from === 'state' || from === 'ui')
    return SCREEN_MAY_SEE.includes(to) && ORDER.indexOf(to) < ORDER.indexOf(from);
  return ORDER.includes(to) && ORDER.indexOf(to) < ORDER.indexOf(from);
}

/** 'workers/runs/x.ts' → its place in the order; null for files of no folder there. */
function workerRoom(path: string): number | null {
  const [top, room, file] = path.split('/');
  return top === 'workers' && file !== undefined ? WORKER_ROOMS.indexOf(room ?? '') : null;
}

function mayReach(path: string, target: string): boolean {
  const [from, to] = [workerRoom(path), workerRoom(target)];
  if (from !== null && to !== null) return from >= to;
  return mayImport(roomOf(path), roomOf(target));
}

/** Imports against the order of the folders. */
export function wrongArrows(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) =>
    importsOf(path, text)
      .filter((name) => name.startsWith('.') && !/\.(css|json)$/.test(name))
      .map((name) => posix.normalize(posix.join(posix.dirname(path), name)))
      .filter((target) => !mayReach(path, target))
      .map((target) => `${path} imports ${target}`),
  );
}

/** Folders of src and workers that nobody has given a place in the order. */
export function unknownRooms(tree: Tree): string[] {
  const paths = [...tree.keys()];
  const rooms = paths.filter((path) => path.startsWith('src/')).map(roomOf);
  const strange = rooms.filter((room) => !ORDER.includes(room) && room !== 'main');
  return [...new Set([...strange, ...paths.filter((path) => workerRoom(path) === -1)])];
}

/** Files that only pass on what others export. */
export function barrels(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) => {
    if (!path.endsWith('.ts')) return [];
    const { statements } = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022);
    const passing = statements.filter((line) => ts.isExportDeclaration(line) && line.moduleSpecifier);
    return passing.length > 0 && passing.length === statements.length ? [path] : [];
  });
}

/** Names under which anything could be filed. */
export function drawers(tree: Tree): string[] {
  return [...tree.keys()].filter((path) => path.split('/').some((part) => DRAWERS.test(part)));
}

export function tooLong(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) => {
    const lines = text.trimEnd().split('\n').length;
    return lines > LONGEST ? [`${path} has ${lines} lines, ${LONGEST} are allowed`] : [];
  });
}

/** tfjs' WebGPU backend is known to src/gpu alone; its private fields to src/gpu/dispatch.ts. */
export function backendLeaks(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) =>
    importsOf(path, text)
      .filter((name) => name.startsWith('@tensorflow/tfjs-backend-webgpu') && roomOf(path) !== 'gpu')
      .map((name) => `${path} imports ${name}`),
  );
}

/** Files that do not open by saying what they are. */
export function silentOpenings(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) => {
    const start = text.trimStart();
    const opening = path.endsWith('.svelte') ? /^(<!--|<script[^>]*>\s*(\/\*\*|\/\/))/ : /^(\/\*\*|\/\/)/;
    return opening.test(start) ? [] : [path];
  });
}

/** Shaders that nothing loads. */
export function unusedShaders(sources: Tree, shaders: readonly string[]): string[] {
  const loaded = new Set(
    [...sources].flatMap(([path, text]) =>
      importsOf(path, text).map((name) =>
        posix.normalize(posix.join(posix.dirname(path), name.replace(/\?raw$/, ''))),
      ),
    ),
  );
  return shaders.filter((shader) => !loaded.has(shader));
}

/** Files that the page's own thread loads, with the modules of TensorFlow.js they import: it lives in the workers alone. */
export function tensorsOnScreen(tree: Tree): string[] {
  const seen = new Set<string>();
  const waiting = ['src/main.ts'];
  const found: string[] = [];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const text = tree.get(path);
    if (text === undefined || seen.has(path)) continue;
    seen.add(path);
    // Types are gone when the page is built.
    const values = text.replace(/import type [^;]+;/g, '');
    for (const name of importsOf(path, values)) {
      if (name.startsWith('@tensorflow/')) found.push(`${path} imports ${name}`);
      if (!name.startsWith('.') || name.includes('/workers/')) continue;
      const target = posix.normalize(posix.join(posix.dirname(path), name));
      waiting.push(target, `${target}.ts`);
    }
  }
  return found;
}
