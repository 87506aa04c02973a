/** The benchmarks of single pieces, each of which a peer can do too: products, one layer, head and loss, AdamW, attention. */
import { adamwTask, attentionTask, headTask, layerTask, productTask, type ProductTask } from './task';
import { compare, withFlops, type Bench, type Bound } from './bench';
import { attentionFlops, headFlops, layerFlops, productFlops } from './flops';
import { prepareOurs } from './ours';
import { qwen, RANK, smallQwen } from './shapes';
import type { Timing } from '../protocol/benchmark';

/** m, k, n as in x [m, k] · Wᵀ [k, n]. */
type Sizes = readonly [m: number, k: number, n: number];

const FORMS = { nt: 'forward, x Wᵀ', nn: 'backward, dy W' };
const PROJECTIONS: readonly Sizes[] = [
  [512, 896, 896],
  [512, 896, 128],
  [512, 4864, 896],
];
/** Each beside the next size that fills its tiles. */
const TAILS: readonly { odd: Sizes; padded: Sizes }[] = [
  { odd: [1, 896, 4864], padded: [16, 896, 4864] },
  { odd: [7, 896, 4864], padded: [16, 896, 4864] },
  { odd: [65, 896, 4864], padded: [80, 896, 4864] },
  { odd: [512, 896, 130], padded: [512, 896, 160] },
  { odd: [512, 900, 4864], padded: [512, 928, 4864] },
];

/** A figure counted in floating-point operations, beside the best product; with `tokens` their rate too. */
const byFlops = (bench: Bench, flops: number, tokens?: number) => ({
  figure: (timing: Timing) => ({
    ...withFlops(timing, flops),
    ...(tokens !== undefined && { tokensPerSecond: (1000 * tokens) / timing.ms }),
  }),
  bound: { probe: bench.limits.product, amount: flops } satisfies Bound,
});

export async function matmul(bench: Bench): Promise<void> {
  const small = (form: ProductTask['form']) => productTask(form, 17, 64, 36);
  for (const form of ['nt', 'nn'] as const) {
    const what = `Matrix product, ${FORMS[form]}`;
    const one = async ([m, k, n]: Sizes, formats: Bench['formats']) =>
      compare(bench, {
        name: 'matmul',
        what,
        shape: `${m} × ${k} × ${n}`,
        small: small(form),
        task: productTask(form, m, k, n),
        formats,
        ...byFlops(bench, productFlops(m, n, k)),
      });
    await one([512, 896, 4864], bench.formats);
    for (const sizes of PROJECTIONS) await one(sizes, ['f32']);
  }
  for (const { odd, padded } of TAILS) {
    const [m, k, n] = padded;
    const neighbour = prepareOurs(productTask('nt', m, k, n), 'f32');
    const what = `time of ${padded.join(' × ')}, which fills them`;
    const flops = productFlops(odd[0], odd[2], odd[1]);
    try {
      await compare(bench, {
        name: 'matmul',
        what: 'Matrix product that fills no tile',
        shape: odd.join(' × '),
        small: small('nt'),
        task: productTask('nt', ...odd),
        formats: ['f32'],
        figure: (timing) => withFlops(timing, flops),
        bound: { probe: { what, unit: 'ms', work: neighbour, amount: 1 }, amount: 1 },
      });
    } finally {
      neighbour.dispose();
    }
  }
}

export async function layer(bench: Bench): Promise<void> {
  const config = qwen({ num_hidden_layers: 1 });
  for (const rows of [64, 512]) {
    const { forward, backward } = layerFlops(config, rows, RANK);
    await compare(bench, {
      name: 'layer',
      what: 'One decoder layer of Qwen2.5-0.5B with seven adapters, forward and backward',
      shape: `T ${rows}, r ${RANK}`,
      small: layerTask(smallQwen(), 24, 4),
      task: layerTask(config, rows, RANK),
      formats: bench.formats,
      ...byFlops(bench, forward + backward, rows),
    });
  }
}

export async function head(bench: Bench): Promise<void> {
  const { hidden, vocab } = qwen();
  const rows = 96;
  await compare(bench, {
    name: 'head',
    what: 'Final norm, logits, loss and its gradient, Qwen2.5 vocabulary',
    shape: `${rows} × ${hidden} × ${vocab}`,
    small: headTask(7, 64, 260),
    task: headTask(rows, hidden, vocab),
    formats: bench.formats,
    apart: true,
    ...byFlops(bench, headFlops(rows, hidden, vocab)),
  });
}

export async function adamw(bench: Bench): Promise<void> {
  const count = 4_400_000;
  // the norm reads the gradient once; the update reads and writes parameters, gradient and both moments
  const bytes = 4 * count * 9;
  await compare(bench, {
    name: 'adamw',
    what: 'Gradient norm and AdamW update',
    shape: '4.4 million numbers',
    small: adamwTask(1088),
    task: adamwTask(count),
    formats: [],
    figure: (timing) => ({ ...timing, bytes }),
    bound: { probe: bench.limits.copy, amount: bytes },
  });
}

export async function attention(bench: Bench): Promise<void> {
  const { heads, kvHeads, headDim } = qwen();
  for (const rows of [512, 2048]) {
    const { forward, backward } = attentionFlops(rows, heads, headDim);
    await compare(bench, {
      name: 'attention',
      what: 'Causal attention, forward and backward',
      shape: `T ${rows}, ${heads} heads of ${headDim}, ${kvHeads} key-value heads`,
      small: attentionTask(37, 4, 2, 16),
      task: attentionTask(rows, heads, kvHeads, headDim),
      formats: [],
      ...byFlops(bench, forward + backward),
    });
  }
}
