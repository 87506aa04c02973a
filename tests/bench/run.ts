/**
 * `npm run bench` (options.ts): every figure beside its limit and its peers, in one run. Exit 1 if one of our own figures could not be
 * measured.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, isAbsolute } from 'node:path';
import { runBenchmarks } from '../../src/benchmark/run';
import { SEARCH_BUDGET, tuneFormats } from '../../src/benchmark/tuning';
import { startEngine } from '../../src/gpu/backend';
import type { BenchmarkRow } from '../../src/protocol/benchmark';
import { useTuned } from '../../src/ops/product/choose';
import { jaxPeer } from './jax';
import { markdownOf } from './markdown';
import { onnxPeer } from './onnx/peer';
import { readOptions } from './options';

const options = readOptions(process.argv.slice(2));
const { names, formats, runs, budget } = options;

const engine = await startEngine({
  defaultLimits: options.defaultLimits,
  without: options.without.map((name) => name as GPUFeatureName),
});
const versionOf = (name: string) => {
  const file: unknown = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
  return String((file as { version: unknown }).version);
};
const peers = options.peers
  ? [await jaxPeer(versionOf('@jax-js/jax')), await onnxPeer(versionOf('onnxruntime-web'))]
  : [];
const before =
  options.markdown !== undefined && existsSync(options.markdown)
    ? readFileSync(options.markdown, 'utf8')
    : '';
const rows: BenchmarkRow[] = [];
const short = (value: number) => Number(value.toPrecision(3));
/** An argument as it is shown to others: of a file, its name. */
const withoutFolder = (word: string) => (isAbsolute(word) ? basename(word) : word);
/** After every row, so that a run that is cut short leaves what it has. */
function write(): void {
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (options.markdown !== undefined) {
    const { device, name, fixedSubgroup } = engine.gpu ?? { device: null, name: 'none', fixedSubgroup: 0 };
    const [first] = cpus();
    const about = {
      device: name,
      command: ['npm run bench --', ...process.argv.slice(2).map(withoutFolder)].join(' '),
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}, Node ${process.version}`,
      features: `${[...(device?.features ?? [])].filter((one) => /f16|subgroups|timestamp/.test(one)).join(', ')}; subgroups of ${fixedSubgroup}; ${device?.limits.maxStorageBufferBindingSize ?? 0} bytes in one binding`,
    };
    writeFileSync(options.markdown, markdownOf(rows, about, before));
  }
}

if (options.tuned) {
  const began = performance.now();
  const found = await tuneFormats(
    formats,
    SEARCH_BUDGET,
    ({ product, format, design, time, chosen }) => {
      if (chosen && time !== null)
        console.log(`search · ${product}, ${format}: ${design}, ${short(time)} ms`);
    },
    new AbortController().signal,
  );
  useTuned(found);
  console.log(`search: ${short((performance.now() - began) / 1000)} s for ${formats.join(', ')}`);
}
const patience = { runs, budget, signal: new AbortController().signal };
const show = (row: BenchmarkRow): void => {
  rows.push(row);
  write();
  const { ours, limit } = row;
  const own = ours
    ? `${short(ours.ms)} ms${ours.gflops ? `, ${short(ours.gflops)} GFLOP/s` : ''}${ours.tokensPerSecond ? `, ${short(ours.tokensPerSecond)} tokens/s` : ''}`
    : `not measured: ${row.reason ?? ''}`;
  console.log(`${row.name} · ${row.what} · ${row.shape}: ${own}`);
  if (limit)
    console.log(
      `    ${short(100 * limit.fraction)} % of ${short(limit.value)} ${limit.unit} (${limit.what})`,
    );
  for (const [name, value] of Object.entries(row.details ?? {}))
    console.log(`    ${name}: ${Number.isInteger(value) ? value : short(value)}`);
  for (const peer of row.peers) {
    const said =
      peer.ms === null ? (peer.note ?? '') : `${short(peer.ms)} ms, ${short(peer.ratio ?? NaN)} × ours`;
    console.log(
      `    ${peer.peer} ${peer.version}: ${said}${peer.relL2 === null ? '' : `, ${peer.relL2.toExponential(1)} away`}`,
    );
  }
};
await runBenchmarks(engine, names, peers, patience, { row: show, now: () => undefined }, formats);

const missing = rows.filter((row) => row.ours === null).length;
const skipped = rows.flatMap((row) => row.peers).filter((peer) => peer.correct === null).length;
const wrong = rows.flatMap((row) => row.peers).filter((peer) => peer.correct === false).length;
console.log(
  `${rows.length - missing} measured, ${missing} not; of the peers ${wrong} wrong, ${skipped} not run (skipped)`,
);
process.exitCode = missing > 0 ? 1 : 0;
