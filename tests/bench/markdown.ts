/** The rows of a benchmark as the text of BENCHMARKS.md: a section for each device, which a new run on that device replaces. */
import type { BenchmarkRow, PeerFigure } from '../../src/protocol/benchmark';

const significant = (value: number, digits = 3): string => {
  if (!Number.isFinite(value)) return '–';
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) >= 1000 ? Math.round(rounded).toLocaleString('en') : String(rounded);
};

export interface Circumstances {
  device: string;
  command: string;
  date: string;
  machine: string;
  features: string;
}

const HEAD = [
  '# Benchmarks',
  '',
  'Every figure is measured; a run replaces the section of its device. Do not edit by hand what a run has made.',
  '',
  '- Median of the timings after a warm-up; in brackets the least, the most and how many.',
  '- A limit is what this adapter does at best, measured in the same run. A peer’s ratio is its time divided by ours.',
  '- A peer is timed only after its results lie within 1e-4 (relative L2) of the processor’s at a small size and of ours at this one.',
  '- A software driver says what is right and ranks kernels for processors; it says nothing about graphics cards.',
  '',
].join('\n');

/** The document with this run as the section of its device; `before` is the document so far, empty where there is none. */
export function markdownOf(rows: readonly BenchmarkRow[], about: Circumstances, before = ''): string {
  const sections = before.split(/^(?=## )/m).filter((text) => text.startsWith('## '));
  const title = `## ${about.device}\n`;
  const mine = `${title}${sectionOf(rows, about)}`;
  const known = sections.some((text) => text.startsWith(title));
  const all = known ? sections.map((text) => (text.startsWith(title) ? mine : text)) : [...sections, mine];
  return [HEAD, ...all.map((text) => `${text.trimEnd()}\n`)].join('\n');
}

function sectionOf(rows: readonly BenchmarkRow[], about: Circumstances): string {
  const names = [...new Set(rows.map((row) => row.name))];
  const skipped = rows
    .flatMap((row) => row.peers)
    .filter((peer) => peer.ms === null && peer.correct === null);
  const wrong = rows.flatMap((row) => row.peers).filter((peer) => peer.correct === false);
  return [
    '',
    `\`${about.command}\`, ${about.date}`,
    '',
    `- Device: ${about.device}; ${about.features}`,
    `- Machine: ${about.machine}`,
    '- Limits and peers were timed in turns with ours: of each round the medians are compared, and of the rounds the median is given.',
    `- ${skipped.length} peer figures are “not run”, with the reason; ${wrong.length} peer figures were wrong.`,
    '',
    ...names.flatMap((name) => [
      `### ${name}`,
      '',
      '| what | shape | ours | of the limit | peers |',
      '| --- | --- | --- | --- | --- |',
      ...rows.filter((row) => row.name === name).map(line),
      '',
    ]),
  ].join('\n');
}

function line(row: BenchmarkRow): string {
  const { ours, limit } = row;
  const figures = ours
    ? [
        `${significant(ours.ms)} ms (${significant(ours.least)}–${significant(ours.most)}, ${ours.runs})`,
        ours.gflops === undefined ? '' : `${significant(ours.gflops)} GFLOP/s`,
        ours.tokensPerSecond === undefined ? '' : `${significant(ours.tokensPerSecond)} tokens/s`,
        ours.bytes === undefined ? '' : `${significant(ours.bytes / 1e6)} MB`,
        ...Object.entries(row.details ?? {}).map(([name, value]) => `${name}: ${significant(value, 6)}`),
      ].filter((text) => text !== '')
    : [`not measured: ${row.reason ?? 'no reason given'}`];
  const bound = limit
    ? `${significant(100 * limit.fraction)} % of ${significant(limit.value)} ${limit.unit} (${limit.what})`
    : '';
  return `| ${row.what} | ${row.shape} | ${figures.join('<br>')} | ${bound} | ${row.peers.map(peerText).join('<br>')} |`;
}

function peerText(peer: PeerFigure): string {
  const name = `${peer.peer} ${peer.version}`;
  if (peer.correct === null) return `${name}: ${peer.note ?? 'not run'}`;
  const distance = peer.relL2?.toExponential(1) ?? '';
  if (!peer.correct) return `${name}: **wrong**, ${distance} away`;
  return `${name}: **${significant(peer.ratio ?? NaN)}×**, ${significant(peer.ms ?? NaN)} ms (${peer.note ?? ''}; ${distance} away)`;
}
