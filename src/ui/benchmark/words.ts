/** Benchmarks in plain words. */
import type {
  BenchmarkName,
  BenchmarkRow,
  Limit,
  OwnFigure,
  PeerFigure,
  SelfTestReport,
} from '../../protocol/benchmark';
import type { Verdict } from '../../protocol/detours';
import { WEIGHT_FORMATS } from '../../protocol/weightFormats';
import { formatName } from '../models/words';
import { bytes, date, percent, plural } from '../numbers';

export const CHOICES: Record<BenchmarkName, { label: string; note: string }> = {
  matmul: { label: 'Matrix products', note: 'what training mostly consists of' },
  layer: { label: 'One layer', note: 'forward and backward, at the size of a half-billion model' },
  head: {
    label: 'Vocabulary and loss',
    note: 'the largest matrix, in every format at once: 1.7\u00a0GB of weights',
  },
  adamw: { label: 'Optimiser', note: '4.4 million numbers updated' },
  attention: { label: 'Attention', note: 'at 512 and 2,048 tokens' },
  step: { label: 'A whole step', note: 'a model of half a billion random weights; 1\u00a0GB' },
  decode: { label: 'Writing', note: 'the same model, one and eight answers at once; 1\u00a0GB' },
  load: { label: 'Loading', note: 'how fast weights are converted' },
  drift: { label: 'A thousand steps', note: 'does it slow down or grow?' },
};

const SHORT = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
export const figure = (value: number): string => SHORT.format(value);

export function milliseconds(value: number): string {
  return value >= 10_000 ? `${figure(value / 1000)} s` : `${figure(value)} ms`;
}

export function rateOf({ gflops, tokensPerSecond, bytes: moved }: OwnFigure): string | null {
  if (tokensPerSecond !== undefined) return `${figure(tokensPerSecond)} tokens a second`;
  if (gflops !== undefined) return `${figure(gflops)} billion operations a second`;
  return moved === undefined ? null : `${bytes(moved)} read and written`;
}

export function limitWords({ what, value, unit, fraction }: Limit): string {
  return `${percent(fraction)} of ${figure(value)} ${unit}: ${what}`;
}

/** How far a number is from the expected one. */
export const distance = (value: number): string =>
  value === 0 ? '0' : value.toExponential(1).replace('.0e', 'e');

/** Parts of the self-test are the operations, and the whole model in a weight format. */
export function partInWords(part: string): string {
  const format = WEIGHT_FORMATS.find((one) => one === part);
  return format === undefined ? part : `model, ${formatName(format)}`;
}

const DISTRUST = 'Do not trust an adapter trained here; try another browser or a newer graphics driver.';

/** `report` is null for a verdict of an earlier visit. What each detour is stands beside it. */
export function verdictInWords({ detours, right, made }: Verdict, report: SelfTestReport | null) {
  const where = report ? `on ${report.device}` : `here on ${date(made)}`;
  if (!right)
    return {
      tone: 'bad',
      title: 'Something is computed wrongly',
      text: wrong(detours, report, where),
    } as const;
  if (detours.length === 0) {
    const text = report
      ? `${plural(report.checks.length, 'check')} passed ${where}.`
      : `Every check passed ${where}.`;
    return { tone: 'good', title: 'It computes what it should', text } as const;
  }
  const refused = detours.some(({ way }) => way === null);
  const title = refused ? 'Right, but not in everything' : 'Right, but by a slower way';
  const text = `With that, a whole model computed what PyTorch computes ${where}.`;
  return { tone: 'warn', title, text } as const;
}

function wrong(detours: Verdict['detours'], report: SelfTestReport | null, where: string): string {
  if (detours.some(({ way }) => way === null))
    return `A whole model could not be computed rightly ${where}. ${DISTRUST}`;
  const ofModel = report?.checks.filter(({ part, ok }) => part !== 'operations' && !ok) ?? [];
  const first = ofModel[0] ? ` The first that differs is “${ofModel[0].check}”.` : '';
  const cause = detours.length > 0 ? 'Even so, a' : 'No single operation is at fault, but a';
  return `${cause} whole model does not compute what PyTorch computes ${where}.${first} ${DISTRUST}`;
}

export function peerWords({ peer, ms, ratio, correct, relL2, note }: PeerFigure): string {
  if (correct === null) return `${peer}: ${note ?? 'not run'}`;
  if (!correct) return `${peer}: wrong results (${relL2?.toExponential(1) ?? '?'} away), so not timed`;
  return `${peer}: ${milliseconds(ms ?? NaN)}, ${figure(ratio ?? NaN)} times ours`;
}

export const rowKey = ({ name, what, shape }: BenchmarkRow): string => `${name} ${what} ${shape}`;
