/**
 * Runs a TypeScript entry in Node: `node scripts/run.mjs ENTRY ARGS…`. Bundles it with Vite, so that `?raw`,
 * `import.meta.glob` and tfjs' extensionless imports work, then imports the bundle. The entry finds
 * `navigator.gpu` and its arguments from process.argv[2] on. It awaits its work at top level, since the process ends
 * with process.exitCode when the import is done. import.meta.url is the bundle's: find files from process.cwd().
 */
import { mkdirSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';
import { installDawn } from './dawn.mjs';

const root = resolve(import.meta.dirname, '..');
const [entry, ...args] = process.argv.slice(2);
if (!entry) {
  console.error('Usage: node scripts/run.mjs ENTRY.ts ARGS…');
  process.exit(2);
}

// A folder for each process, so that two runs of one entry do not overwrite each other's bundle.
const name = basename(entry).replace(/\.ts$/, '');
const folder = join(root, 'node_modules/.cache/loratory', `${name}-${process.pid}`);
mkdirSync(folder, { recursive: true });
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

await build({
  root,
  configFile: false,
  publicDir: false,
  logLevel: 'warn',
  ssr: { noExternal: [/@tensorflow/], external: ['webgpu'] },
  build: {
    ssr: resolve(root, entry),
    outDir: folder,
    target: 'node20',
    minify: false,
    sourcemap: 'inline',
    emptyOutDir: true,
    rolldownOptions: { output: { entryFileNames: 'entry.mjs', chunkFileNames: '[name]-[hash].mjs' } },
  },
});

await installDawn();
process.argv = [process.argv[0] ?? 'node', resolve(root, entry), ...args];
await import(pathToFileURL(join(folder, 'entry.mjs')).href);
process.exit();
