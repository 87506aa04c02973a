/**
 * The peer @jax-js/jax: the same tasks in its own words, compiled by its jit, on a WebGPU device of its own. Its functions take
 * ownership of what they are given, so every use of an array but the last is `.ref`.
 */
import type { numpy } from '@jax-js/jax';
import { tooLargeToBind } from '../../src/benchmark/binding';
import type {
  AdamwTask,
  AttentionTask,
  HeadTask,
  LayerTask,
  Peer,
  Prepared,
  ProductTask,
  Projection,
} from '../../src/benchmark/task';
import { inverseFrequencies } from '../../src/model/rotary';
import { TARGETS } from '../../src/protocol/settings';

type NdArray = numpy.Array;
type Numbers = Float32Array<ArrayBuffer>;
type Params = { x: NdArray; ab: NdArray[] };
type Heads = Pick<AttentionTask, 'heads' | 'kvHeads' | 'headDim'>;

export async function jaxPeer(version: string): Promise<Peer> {
  // it looks for Firefox at import, and this Node has no name
  if (!globalThis.navigator.userAgent)
    Object.defineProperty(globalThis.navigator, 'userAgent', { value: 'node', configurable: true });
  const {
    blockUntilReady,
    defaultDevice,
    grad,
    init,
    jit,
    nn,
    numpy: np,
    valueAndGrad,
  } = await import('@jax-js/jax');
  const devices = await init('webgpu');
  const name = '@jax-js/jax';
  if (!devices.includes('webgpu')) return { name, version, prepare: async () => 'finds no WebGPU here' };
  defaultDevice('webgpu');

  const array = (values: Float32Array, shape: number[]): NdArray =>
    np.array(values as Numbers).reshape(shape);
  const use = (given: NdArray[]) => given.map((one) => one.ref);

  /** `compute` is given references of `inputs` and owns them. */
  function prepared(compute: (...inputs: NdArray[]) => NdArray[], inputs: NdArray[]): Prepared {
    // what is given up before it is waited for is never run: its work is only begun then
    const made: NdArray[] = [];
    const drop = () => made.splice(0).forEach((one) => one.dispose());
    return {
      record: () => void made.push(...compute(...use(inputs))),
      finish: async () => {
        await blockUntilReady(made);
        drop();
      },
      read: async () => {
        const outputs: Numbers[] = [];
        for (const one of compute(...use(inputs))) outputs.push((await one.data()) as Numbers);
        return outputs;
      },
      dispose: () => {
        drop();
        inputs.forEach((one) => one.dispose());
      },
    };
  }

  function product({ form, m, n, k, x, w }: ProductTask): Prepared {
    const run = jit((left: NdArray, right: NdArray) =>
      np.matmul(left, form === 'nt' ? np.transpose(right) : right),
    );
    return prepared(
      (left, right) => [run(left, right) as NdArray],
      [array(x, [m, form === 'nt' ? k : n]), array(w, [n, k])],
    );
  }

  /** Whole score matrices; kv heads are shared by broadcasting. q [rows, heads · d] → [rows, heads · d] */
  function attend(q: NdArray, k: NdArray, v: NdArray, mask: NdArray, rows: number, of: Heads): NdArray {
    const { heads, kvHeads, headDim } = of;
    const group = heads / kvHeads;
    const qh = np.transpose(q.reshape([rows, kvHeads, group, headDim]), [1, 2, 0, 3]);
    const kh = np.transpose(k.reshape([rows, kvHeads, 1, headDim]), [1, 2, 3, 0]);
    const vh = np.transpose(v.reshape([rows, kvHeads, 1, headDim]), [1, 2, 0, 3]);
    const scores = np
      .matmul(qh, kh)
      .mul(1 / Math.sqrt(headDim))
      .add(mask);
    const seen = np.matmul(nn.softmax(scores, -1), vh);
    return np.transpose(seen, [2, 0, 1, 3]).reshape([rows, heads * headDim]);
  }

  function attention(task: AttentionTask): Prepared {
    const { rows, heads, kvHeads, headDim } = task;
    const loss = (q: NdArray, k: NdArray, v: NdArray, dy: NdArray, mask: NdArray) =>
      np.sum(attend(q, k, v, mask, rows, task).mul(dy));
    const run = jit(grad(loss, { argnums: [0, 1, 2] }));
    return prepared(
      (...inputs) => run(...(inputs as Parameters<typeof loss>)) as NdArray[],
      [
        array(task.q, [rows, heads * headDim]),
        array(task.k, [rows, kvHeads * headDim]),
        array(task.v, [rows, kvHeads * headDim]),
        array(task.dy, [rows, heads * headDim]),
        array(causalMask(rows), [rows, rows]),
      ],
    );
  }

  function norm(x: NdArray, gain: NdArray, epsilon: number): NdArray {
    const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
    return x.div(np.sqrt(mean.add(epsilon))).mul(gain);
  }

  function head({ rows, hidden, vocab, epsilon, ...values }: HeadTask): Prepared {
    const loss = (x: NdArray, gain: NdArray, table: NdArray, chosen: NdArray) => {
      const logits = np.matmul(norm(x, gain, epsilon), np.transpose(table));
      return np.sum(nn.logSoftmax(logits, -1).mul(chosen)).mul(-1 / rows);
    };
    const run = jit(valueAndGrad(loss));
    const chosen = new Float32Array(rows * vocab);
    values.targets.forEach((target, row) => (chosen[row * vocab + target] = 1));
    return prepared(
      (...inputs) => run(...(inputs as Parameters<typeof loss>)) as NdArray[],
      [
        array(values.x, [rows, hidden]),
        array(values.norm, [hidden]),
        array(values.head, [vocab, hidden]),
        array(chosen, [rows, vocab]),
      ],
    );
  }

  function layer(task: LayerTask): Prepared {
    const { config, rows, rank, scale } = task;
    const {
      hidden,
      heads,
      kvHeads,
      headDim,
      norm: { epsilon },
    } = config;
    const turn = (x: NdArray, count: number, cos: NdArray, sin: NdArray) => {
      const parts = x.reshape([rows, count, 2, headDim / 2]);
      const low = parts.ref.slice([], [], 0);
      const high = parts.slice([], [], 1);
      const first = low.ref.mul(cos.ref).sub(high.ref.mul(sin.ref));
      const second = high.mul(cos).add(low.mul(sin));
      return np.concatenate([first, second], -1).reshape([rows, count * headDim]);
    };
    const biased = TARGETS.filter((target) => task.linear[target].bias);
    const loss = (params: Params, consts: NdArray[]): NdArray => {
      const [dy, inputNorm, postNorm, mask, cos, sin] = consts as [
        NdArray,
        NdArray,
        NdArray,
        NdArray,
        NdArray,
        NdArray,
      ];
      const weights = consts.slice(6, 6 + TARGETS.length);
      const biases = consts.slice(6 + TARGETS.length);
      const project = (x: NdArray, target: Projection): NdArray => {
        const at = TARGETS.indexOf(target);
        const [w, a, b] = [weights[at], params.ab[2 * at], params.ab[2 * at + 1]];
        if (!w || !a || !b) throw new Error(`${target} misses a matrix.`);
        const low = np.matmul(x.ref, np.transpose(a));
        const added = np.matmul(low, np.transpose(b)).mul(scale);
        const y = np.matmul(x, np.transpose(w)).add(added);
        const bias = biases[biased.indexOf(target)];
        return bias ? y.add(bias) : y;
      };
      const normed = norm(params.x.ref, inputNorm, epsilon);
      const q = turn(project(normed.ref, 'q_proj'), heads, cos.ref, sin.ref);
      const k = turn(project(normed.ref, 'k_proj'), kvHeads, cos, sin);
      const v = project(normed, 'v_proj');
      const h = project(attend(q, k, v, mask, rows, config), 'o_proj').add(params.x);
      const inner = norm(h.ref, postNorm, epsilon);
      const gate = nn.silu(project(inner.ref, 'gate_proj'));
      const wide = gate.mul(project(inner, 'up_proj'));
      return np.sum(project(wide, 'down_proj').add(h).mul(dy));
    };
    const rope = config.kinds[0]?.rope;
    if (!rope) throw new Error('The layer turns nothing.');
    const angles = inverseFrequencies(rope, rows);
    const table = (turned: (angle: number) => number) =>
      Float32Array.from({ length: rows * angles.length }, (_, index) => {
        const position = Math.floor(index / angles.length);
        return turned(position * (angles[index % angles.length] ?? 0));
      });
    const half = [rows, 1, headDim / 2];
    const consts = [
      array(task.dy, [rows, hidden]),
      array(task.inputNorm, [hidden]),
      array(task.postNorm, [hidden]),
      array(causalMask(rows), [rows, rows]),
      array(table(Math.cos), half),
      array(table(Math.sin), half),
      ...TARGETS.map((target) =>
        array(task.linear[target].w, [task.linear[target].out, task.linear[target].in]),
      ),
      ...biased.map((target) =>
        array(task.linear[target].bias ?? new Float32Array(), [task.linear[target].out]),
      ),
    ];
    const adapters = TARGETS.flatMap((target) => {
      const { a, b, out, in: width } = task.linear[target];
      return [array(a, [rank, width]), array(b, [out, rank])];
    });
    const run = jit(grad(loss));
    const first = consts.length;
    return prepared(
      (...inputs) => {
        const [x, ...ab] = inputs.slice(first);
        if (!x) throw new Error('The layer has no input.');
        const gradient = run({ x, ab }, inputs.slice(0, first)) as Params;
        return [gradient.x, ...gradient.ab];
      },
      [...consts, array(task.x, [rows, hidden]), ...adapters],
    );
  }

  function optimizer({ count, parameters, gradient, learningRate }: AdamwTask): Prepared {
    const update = (p: NdArray, g: NdArray, m: NdArray, v: NdArray) => {
      const mean = m.mul(0.9).add(g.ref.mul(0.1));
      const square = v.mul(0.999).add(np.square(g).mul(0.001));
      const size = np.sqrt(square.ref.div(0.001)).add(1e-8);
      return [p.sub(mean.ref.div(0.1).div(size).mul(learningRate)), mean, square];
    };
    const run = jit(update);
    const zero = () => array(new Float32Array(count), [count]);
    const inputs = [array(parameters, [count]), array(gradient, [count]), zero(), zero()];
    const work = prepared((...given) => run(...(given as Parameters<typeof update>)) as NdArray[], inputs);
    return { ...work, read: async () => (await work.read()).slice(0, 1) };
  }

  return {
    name,
    version,
    prepare: async (task) => {
      const tooLarge = task.kind === 'decode' ? null : tooLargeToBind(task);
      if (tooLarge) return tooLarge;
      switch (task.kind) {
        case 'product':
          return product(task);
        case 'attention':
          return attention(task);
        case 'layer':
          return layer(task);
        case 'adamw':
          return optimizer(task);
        case 'head':
          return head(task);
        case 'decode':
          return 'has no decoder; it is compared in training';
      }
    },
  };
}

/** −1e38 above the diagonal: [rows, rows] */
function causalMask(rows: number): Float32Array {
  const values = new Float32Array(rows * rows);
  for (let i = 0; i < rows; i++) values.fill(-1e38, i * rows + i + 1, (i + 1) * rows);
  return values;
}
