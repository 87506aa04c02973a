/** Prints what a visitor downloads: every file of dist with its size, plain and gzipped. `node scripts/sizes.mjs` */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const dist = resolve(import.meta.dirname, '../dist');
if (!existsSync(dist)) {
  console.error(`There is no ${dist}. Run: npm run build`);
  process.exit(1);
}

const rows = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    return { name: relative(dist, path), plain: bytes.length, gzip: gzipSync(bytes).length };
  })
  .sort((a, b) => b.gzip - a.gzip);

/** @param {number} bytes */
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(11);
for (const row of rows) console.log(kB(row.plain), kB(row.gzip), '', row.name);
/** @param {'plain' | 'gzip'} key */
const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
console.log(kB(total('plain')), kB(total('gzip')), '', 'total (plain, gzip)');
