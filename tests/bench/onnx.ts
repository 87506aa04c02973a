/**
 * The peer onnxruntime-web, for forward products: a graph of one MatMul, written by hand, so that no model file is needed. In
 * Node its WebGPU provider fails inside its own code, so this is its WebAssembly one, on as many threads as there are cores.
 */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Peer, Prepared, ProductTask } from '../../src/benchmark/task';

export async function onnxPeer(version: string): Promise<Peer> {
  const ort = await import('onnxruntime-web');
  const entry = createRequire(`${process.cwd()}/package.json`).resolve('onnxruntime-web');
  ort.env.wasm.wasmPaths = `${pathToFileURL(dirname(entry)).href}/`;
  ort.env.wasm.numThreads = availableParallelism();

  async function product({ form, m, n, k, x, w }: ProductTask): Promise<Prepared> {
    const [inner, outer] = form === 'nt' ? [k, n] : [n, k];
    const session = await ort.InferenceSession.create(matMulModel(m, outer, inner), {
      executionProviders: ['wasm'],
    });
    const right = form === 'nt' ? transposed(w, n, k) : w;
    const feeds = {
      x: new ort.Tensor('float32', x, [m, inner]),
      w: new ort.Tensor('float32', right, [inner, outer]),
    };
    const run = async () => {
      const { y } = await session.run(feeds);
      if (!y) throw new Error('onnxruntime-web gave no output.');
      return y;
    };
    return {
      record: async () => void (await run()),
      finish: async () => undefined,
      read: async () => [(await run()).data as Float32Array],
      dispose: () => void session.release(),
    };
  }

  return {
    name: 'onnxruntime-web, WebAssembly',
    version,
    prepare: async (task) =>
      task.kind === 'product' ? product(task) : 'has no gradients; its forward pass is compared in matmul',
  };
}

/** [n, k] → [k, n] */
function transposed(w: Float32Array, n: number, k: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(n * k);
  for (let row = 0; row < n; row++)
    for (let col = 0; col < k; col++) result[col * n + row] = w[row * k + col] ?? NaN;
  return result;
}

/** y [m, n] = x [m, k] · w [k, n] as an ONNX file: protocol buffers, field numbers of onnx.proto3. */
function matMulModel(m: number, n: number, k: number): Uint8Array {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
  const bytes = (field: number, content: number[]) => [
    ...varint(field * 8 + 2),
    ...varint(content.length),
    ...content,
  ];
  const number = (field: number, value: number) => [...varint(field * 8), ...varint(value)];
  const text = (field: number, value: string) => bytes(field, [...new TextEncoder().encode(value)]);
  const FLOAT = 1;
  const matrix = (name: string, sides: number[]) => {
    const shape = sides.flatMap((side) => bytes(1, number(1, side)));
    return [...text(1, name), ...bytes(2, bytes(1, [...number(1, FLOAT), ...bytes(2, shape)]))];
  };
  const node = [
    ...text(1, 'x'),
    ...text(1, 'w'),
    ...text(2, 'y'),
    ...text(3, 'product'),
    ...text(4, 'MatMul'),
  ];
  const graph = [
    ...bytes(1, node),
    ...text(2, 'product'),
    ...bytes(11, matrix('x', [m, k])),
    ...bytes(11, matrix('w', [k, n])),
    ...bytes(12, matrix('y', [m, n])),
  ];
  const operators = [...text(1, ''), ...number(2, 17)];
  return Uint8Array.from([...number(1, 8), ...bytes(7, graph), ...bytes(8, operators)]);
}
