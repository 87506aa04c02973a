/**
 * The peer onnxruntime-web, for what only goes forward: products and decoding. In Node its WebGPU provider fails inside its own code,
 * so this is its WebAssembly one, on as many threads as there are cores.
 */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import type { DecodeTask, Peer, Prepared, ProductTask } from '../../../src/benchmark/task';
import { onnxDecoder } from './decoder';
import { Graph } from './file';

export async function onnxPeer(version: string): Promise<Peer> {
  const ort = await import('onnxruntime-web');
  const entry = createRequire(`${process.cwd()}/package.json`).resolve('onnxruntime-web');
  ort.env.wasm.wasmPaths = `${pathToFileURL(dirname(entry)).href}/`;
  ort.env.wasm.numThreads = availableParallelism();
  const open = (file: Uint8Array) => ort.InferenceSession.create(file, { executionProviders: ['wasm'] });

  /** Runs of `feeds`, of which `output` is read. */
  function prepared(session: InferenceSession, feeds: Record<string, Tensor>, output: string): Prepared {
    const run = async () => {
      const { [output]: made } = await session.run(feeds, [output]);
      if (!made) throw new Error(`onnxruntime-web gave no ${output}.`);
      return made;
    };
    return {
      record: async () => void (await run()),
      finish: async () => undefined,
      read: async () => [(await run()).data as Float32Array],
      dispose: () => void session.release(),
    };
  }

  async function product({ form, m, n, k, x, w }: ProductTask): Promise<Prepared> {
    const [inner, outer] = form === 'nt' ? [k, n] : [n, k];
    const graph = new Graph();
    graph.input('x', 'float32', [m, inner]);
    graph.input('w', 'float32', [inner, outer]);
    graph.node({ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] });
    graph.output('y', 'float32', [m, outer]);
    const feeds = {
      x: new ort.Tensor('float32', x, [m, inner]),
      w: new ort.Tensor('float32', form === 'nt' ? transposed(w, n, k) : w, [inner, outer]),
    };
    return prepared(await open(graph.file()), feeds, 'y');
  }

  /** All but the last token of each sequence are read once; with the keys and values that they leave the last one runs again and again. */
  async function decode({ config, source, format, sequences, ids }: DecodeTask): Promise<Prepared | string> {
    if (format !== 'q4') return `its operators have no ${format} weights in WebAssembly`;
    const { hidden, layers, kvHeads, headDim } = config;
    const length = ids.length / sequences;
    const { file, embed } = await onnxDecoder(config, source, format, length);
    const session = await open(file);
    const feedsOf = (from: number, to: number, past: Record<string, Tensor>) => {
      const rows = Int32Array.from({ length: sequences * (to - from) }, (_, at) => {
        const sequence = Math.floor(at / (to - from));
        return ids[sequence * length + from + (at % (to - from))] ?? NaN;
      });
      return {
        x: new ort.Tensor('float32', embed(rows), [sequences, to - from, hidden]),
        last: new ort.Tensor('int32', new Int32Array(sequences).fill(to - 1), [sequences]),
        total: new ort.Tensor('int32', Int32Array.of(to), []),
        ...past,
      };
    };
    const kept = Array.from({ length: layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
    const none = () => new ort.Tensor('float32', new Float32Array(), [sequences, kvHeads, 0, headDim]);
    const empty = Object.fromEntries(kept.map((name) => [`past.${name}`, none()]));
    const made = await session.run(feedsOf(0, length - 1, empty));
    const past = Object.fromEntries(
      kept.map((name) => {
        const present = made[`present.${name}`];
        if (!present) throw new Error(`onnxruntime-web kept no ${name}.`);
        return [`past.${name}`, present];
      }),
    );
    return prepared(session, feedsOf(length - 1, length, past), 'logits');
  }

  return {
    name: 'onnxruntime-web, WebAssembly',
    version,
    prepare: async (task) => {
      if (task.kind === 'product') return product(task);
      if (task.kind === 'decode') return decode(task);
      return 'has no gradients; it is compared in matmul and decode';
    },
  };
}

/** [n, k] → [k, n] */
function transposed(w: Float32Array, n: number, k: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(n * k);
  for (let row = 0; row < n; row++)
    for (let col = 0; col < k; col++) result[col * n + row] = w[row * k + col] ?? NaN;
  return result;
}
