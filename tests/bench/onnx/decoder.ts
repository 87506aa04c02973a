/**
 * A Qwen2 model as ONNX Runtime runs it: the graph that its model builder writes (onnxruntime-genai), with MatMulNBits for weights
 * of 4 and 8 bits, taken over code by code, and GroupQueryAttention, which turns queries and keys and keeps the keys and values.
 *
 *   x [B, S, hidden] embedded tokens · past.N.key, past.N.value [B, kvHeads, P, d] · last int32 [B], the last place of each sequence,
 *   P + S − 1 · total int32, P + S → logits [B, vocab] of the last token · present.N.key, present.N.value [B, kvHeads, P + S, d]
 */
import { float16BitsToFloat32 } from '../../../src/checkpoint/halfFloat';
import type { Piece } from '../../../src/checkpoint/pieces';
import { decode } from '../../../src/checkpoint/planes';
import { halvesOf } from '../../../src/checkpoint/scales';
import type { WeightSource } from '../../../src/checkpoint/source';
import type { ModelConfig } from '../../../src/model/config';
import { inverseFrequencies } from '../../../src/model/rotary';
import { formatOfTensor, linearName, linearShape } from '../../../src/model/shapes';
import type { Target } from '../../../src/protocol/settings';
import type { WeightFormat } from '../../../src/protocol/weightFormats';
import { Graph } from './file';

const BLOCK = 32;

export interface OnnxDecoder {
  file: Uint8Array;
  /** int32 [rows] → [rows, hidden] */
  embed(ids: Int32Array): Float32Array<ArrayBuffer>;
}

/** `positions`: how many a sequence can have. */
export async function onnxDecoder(
  config: ModelConfig,
  source: WeightSource,
  format: WeightFormat,
  positions: number,
): Promise<OnnxDecoder> {
  const { hidden, vocab, layers, heads, kvHeads, headDim } = config;
  const graph = new Graph();
  let embedding: Piece | null = null;
  for await (const piece of source.pieces((name) => formatOfTensor(name, format))) {
    if (piece.tensor === 'model.embed_tokens.weight') embedding = piece;
    addWeight(graph, piece, source.shape(piece.tensor));
  }
  if (!embedding) throw new Error('The model has no embedding.');
  addTurns(graph, config, positions);
  graph.constant('end', 'int64', [], BigInt64Array.of(-1n));

  graph.input('x', 'float32', ['batch', 'rows', hidden]);
  graph.input('last', 'int32', ['batch']);
  graph.input('total', 'int32', []);
  let x = 'x';
  let made = 0;
  const fresh = () => `made.${made++}`;
  const op = (name: string, inputs: string[]): string => {
    const output = fresh();
    graph.node({ op: name, inputs, outputs: [output] });
    return output;
  };
  const norm = (input: string, gain: string) => {
    const output = fresh();
    const floats = { epsilon: config.norm.epsilon };
    const name = 'SimplifiedLayerNormalization';
    graph.node({ op: name, inputs: [input, gain], outputs: [output], floats });
    return output;
  };
  const product = (input: string, weight: string, [n, k]: [number, number]) => {
    const output = fresh();
    const inputs = [input, `${weight}.codes`, `${weight}.scales`];
    const bits = formatOfTensor(weight, format) === 'q4' ? 4 : 8;
    if (bits === 4) inputs.push(`${weight}.zeros`);
    const ints = { K: k, N: n, bits, block_size: BLOCK };
    graph.node({ op: 'MatMulNBits', inputs, outputs: [output], ints, contrib: true });
    return output;
  };
  for (let layer = 0; layer < layers; layer++) {
    const linear = (input: string, target: Target) => {
      const { out, in: width } = linearShape(config, target);
      const name = linearName(layer, target);
      const y = product(input, `${name}.weight`, [out, width]);
      return config.biased.includes(target) ? op('Add', [y, `${name}.bias`]) : y;
    };
    const at = `model.layers.${layer}`;
    const toAttention = norm(x, `${at}.input_layernorm.weight`);
    const past = ['key', 'value'].map((part) => `past.${layer}.${part}`);
    const present = ['key', 'value'].map((part) => `present.${layer}.${part}`);
    for (const name of past) graph.input(name, 'float32', ['batch', kvHeads, 'past', headDim]);
    for (const name of present) graph.output(name, 'float32', ['batch', kvHeads, 'all', headDim]);
    const [q, k, v] = (['q_proj', 'k_proj', 'v_proj'] as const).map((target) => linear(toAttention, target));
    const seen = fresh();
    graph.node({
      op: 'GroupQueryAttention',
      inputs: [q ?? '', k ?? '', v ?? '', ...past, 'last', 'total', 'cosines', 'sines'],
      outputs: [seen, ...present],
      ints: { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 },
      contrib: true,
    });
    x = op('Add', [x, linear(seen, 'o_proj')]);
    const toMlp = norm(x, `${at}.post_attention_layernorm.weight`);
    const gate = linear(toMlp, 'gate_proj');
    const gated = op('Mul', [op('Mul', [gate, op('Sigmoid', [gate])]), linear(toMlp, 'up_proj')]);
    x = op('Add', [x, linear(gated, 'down_proj')]);
  }
  graph.node({ op: 'Gather', inputs: [x, 'end'], outputs: ['ends'], ints: { axis: 1 } });
  const logits = product(norm('ends', 'model.norm.weight'), 'model.embed_tokens.weight', [vocab, hidden]);
  graph.node({ op: 'Identity', inputs: [logits], outputs: ['logits'] });
  graph.output('logits', 'float32', ['batch', vocab]);

  const own = embedding;
  return {
    file: graph.file(),
    embed(ids) {
      const rows = new Float32Array(ids.length * hidden);
      ids.forEach((id, row) => rows.set(rowOf(own, id, hidden), row * hidden));
      return rows;
    },
  };
}

/** A matrix as `.codes` [n, k / 32, bytes], `.scales` and, of q4, `.zeros` [n · k / 32]; a vector as it is. */
function addWeight(graph: Graph, { tensor, row, rows, format, planes }: Piece, shape: number[]): void {
  const [n = 0, k] = shape;
  if (row !== 0 || (k !== undefined && rows !== n)) throw new Error(`${tensor} does not come whole.`);
  if (k === undefined) {
    graph.constant(tensor, 'float32', [n], decode(planes, format, n));
    return;
  }
  if (format !== 'q4' && format !== 'q8') throw new Error(`${tensor} has no codes: ${format}.`);
  const [words = new Uint32Array(), halves = new Uint32Array()] = planes;
  const blocks = (n * k) / BLOCK;
  const codes = new Uint8Array(words.buffer.slice(words.byteOffset, words.byteOffset + words.byteLength));
  const found = float16BitsToFloat32(halvesOf(halves));
  const flat = [n, k / BLOCK, codes.length / blocks];
  if (format === 'q8') {
    // from int8 to bytes about 128
    for (let i = 0; i < codes.length; i++) codes[i] = (codes[i] ?? 0) ^ 128;
    graph.constant(`${tensor}.scales`, 'float32', [blocks], found.slice(0, blocks));
  } else {
    // scale · code + offset = scale · (code − zero)
    const scales = Float32Array.from({ length: blocks }, (_, block) => found[2 * block] ?? NaN);
    const zeros = scales.map((scale, block) => -(found[2 * block + 1] ?? NaN) / scale);
    graph.constant(`${tensor}.scales`, 'float32', [blocks], scales);
    graph.constant(`${tensor}.zeros`, 'float32', [blocks], zeros);
  }
  graph.constant(`${tensor}.codes`, 'uint8', flat, codes);
}

/** Cosines and sines [positions, d / 2]. */
function addTurns(graph: Graph, { kinds, headDim }: ModelConfig, positions: number): void {
  const [kind] = kinds;
  if (!kind?.rope) throw new Error('The model turns nothing.');
  const frequencies = inverseFrequencies(kind.rope, positions);
  const table = (of: (angle: number) => number) =>
    Float32Array.from({ length: (positions * headDim) / 2 }, (_, at) => {
      const pair = at % (headDim / 2);
      return of(((at - pair) / (headDim / 2)) * (frequencies[pair] ?? NaN));
    });
  graph.constant('cosines', 'float32', [positions, headDim / 2], table(Math.cos));
  graph.constant('sines', 'float32', [positions, headDim / 2], table(Math.sin));
}

/** One row of q8 planes. */
function rowOf({ planes, format }: Piece, row: number, k: number): Float32Array {
  const [words, halves] = planes;
  if (!words || !halves || format !== 'q8') throw new Error(`The embedding is not in q8 but in ${format}.`);
  // a row's scales may begin in the middle of a word
  const scales = halvesOf(halves).slice((row * k) / BLOCK, ((row + 1) * k) / BLOCK);
  const own = new Uint32Array(Math.ceil(scales.length / 2));
  new Uint16Array(own.buffer).set(scales);
  return decode([words.subarray((row * k) / 4, ((row + 1) * k) / 4), own], 'q8', k);
}
