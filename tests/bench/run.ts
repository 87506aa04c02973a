/**
 * `npm run bench -- [NAME…] [--json FILE] [--markdown FILE] [--runs N] [--budget SECONDS] [--no-peers] [--default-limits]
 * [--without FEATURE] [--format F]…`: every figure beside its limit and its peers, in one run. Without NAME it runs all. Exit 1 if one of our
 * own figures could not be measured.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { runBenchmarks } from '../../src/benchmark/run';
import { startEngine } from '../../src/gpu/backend';
import { BENCHMARKS, type BenchmarkName, type BenchmarkRow } from '../../src/protocol/benchmark';
import { WEIGHT_FORMATS, type WeightFormat } from '../../src/protocol/weightFormats';
import { jaxPeer } from './jax';
import { markdownOf } from './markdown';
import { onnxPeer } from './onnx';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    markdown: { type: 'string' },
    runs: { type: 'string', default: '20' },
    budget: { type: 'string', default: '6' },
    'no-peers': { type: 'boolean', default: false },
    'default-limits': { type: 'boolean', default: false },
    without: { type: 'string', multiple: true, default: [] },
    format: { type: 'string', multiple: true, default: [] },
  },
});
const isName = (name: string): name is BenchmarkName => BENCHMARKS.some((one) => one === name);
const unknown = positionals.filter((name) => !isName(name));
if (unknown.length > 0)
  throw new Error(`There is no benchmark ${unknown.join(', ')}. There are ${BENCHMARKS.join(', ')}.`);
const names = positionals.length > 0 ? positionals.filter(isName) : BENCHMARKS;
const isFormat = (name: string): name is WeightFormat => WEIGHT_FORMATS.some((one) => one === name);
const formats = values.format.length > 0 ? values.format.filter(isFormat) : WEIGHT_FORMATS;
if (formats.length === 0 || values.format.some((name) => !isFormat(name)))
  throw new Error(`--format is one of ${WEIGHT_FORMATS.join(', ')}.`);
const [runs, budget] = [Number(values.runs), 1000 * Number(values.budget)];
if (!(runs >= 3) || !(budget > 0)) throw new Error('--runs is 3 or more, --budget more than 0 seconds.');

const engine = await startEngine({
  defaultLimits: values['default-limits'],
  without: values.without.map((name) => name as GPUFeatureName),
});
const versionOf = (name: string) => {
  const file: unknown = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
  return String((file as { version: unknown }).version);
};
const peers = values['no-peers']
  ? []
  : [await jaxPeer(versionOf('@jax-js/jax')), await onnxPeer(versionOf('onnxruntime-web'))];
const rows: BenchmarkRow[] = [];
const short = (value: number) => Number(value.toPrecision(3));
/** After every row, so that a run that is cut short leaves what it has. */
function write(): void {
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (values.markdown !== undefined) {
    const { device, name, fixedSubgroup } = engine.gpu ?? { device: null, name: 'none', fixedSubgroup: 0 };
    const [first] = cpus();
    const about = {
      device: name,
      command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}, Node ${process.version}`,
      features: `${[...(device?.features ?? [])].filter((one) => /f16|subgroups|timestamp/.test(one)).join(', ')}; subgroups of ${fixedSubgroup}; ${device?.limits.maxStorageBufferBindingSize ?? 0} bytes in one binding`,
    };
    writeFileSync(values.markdown, markdownOf(rows, about));
  }
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
  for (const [name, value] of Object.entries(row.details ?? {})) console.log(`    ${name}: ${value}`);
  for (const peer of row.peers) {
    const said =
      peer.ms === null ? (peer.note ?? '') : `${short(peer.ms)} ms, ${short(peer.ratio ?? NaN)} × ours`;
    console.log(
      `    ${peer.peer} ${peer.version}: ${said}${peer.relL2 === null ? '' : `, ${peer.relL2.toExponential(1)} away`}`,
    );
  }
};
await runBenchmarks(engine, names, peers, patience, show, formats);

const missing = rows.filter((row) => row.ours === null).length;
const skipped = rows.flatMap((row) => row.peers).filter((peer) => peer.correct === null).length;
const wrong = rows.flatMap((row) => row.peers).filter((peer) => peer.correct === false).length;
console.log(
  `${rows.length - missing} measured, ${missing} not; of the peers ${wrong} wrong, ${skipped} not run (skipped)`,
);
process.exitCode = missing > 0 ? 1 : 0;
