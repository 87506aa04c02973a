/** ONNX files without a model's author: protocol buffers, field numbers of onnx.proto3 (github.com/onnx/onnx, onnx/onnx.proto3). */

/** Bytes of a message in pieces, so that weights are copied once. */
type Pieces = Uint8Array[];

const CONTRIB = 'com.microsoft';
const TYPES = { float32: 1, uint8: 2, int32: 6, int64: 7 };
export type Type = keyof typeof TYPES;
/** Sides of a tensor; a word is one that a run decides. */
export type Sides = readonly (number | string)[];

export interface Node {
  op: string;
  /** Empty: an optional one that is left out. */
  inputs: string[];
  outputs: string[];
  ints?: Record<string, number>;
  floats?: Record<string, number>;
  /** Of ONNX Runtime's own operators. */
  contrib?: boolean;
}

/** What a graph is made of, in any order but that of its nodes. */
export class Graph {
  readonly #nodes: Pieces[] = [];
  readonly #constants: Pieces[] = [];
  readonly #inputs: Pieces[] = [];
  readonly #outputs: Pieces[] = [];

  node({ op, inputs, outputs, ints = {}, floats = {}, contrib = false }: Node): void {
    this.#nodes.push([
      ...inputs.flatMap((name) => text(1, name)),
      ...outputs.flatMap((name) => text(2, name)),
      ...text(4, op),
      ...Object.entries(ints).flatMap(([name, value]) =>
        message(5, [...text(1, name), ...varint(3, value), ...varint(20, 2)]),
      ),
      ...Object.entries(floats).flatMap(([name, value]) =>
        message(5, [...text(1, name), ...float(2, value), ...varint(20, 1)]),
      ),
      ...(contrib ? text(7, CONTRIB) : []),
    ]);
  }

  /** A weight, whose bytes are not copied until the file is made. */
  constant(name: string, type: Type, sides: readonly number[], values: ArrayBufferView): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#constants.push([
      ...sides.flatMap((side) => varint(1, side)),
      ...varint(2, TYPES[type]),
      ...text(8, name),
      ...message(9, [bytes]),
    ]);
  }

  input(name: string, type: Type, sides: Sides): void {
    this.#inputs.push(valueInfo(name, type, sides));
  }

  output(name: string, type: Type, sides: Sides): void {
    this.#outputs.push(valueInfo(name, type, sides));
  }

  file(): Uint8Array {
    const all = (field: number, parts: Pieces[]) => parts.flatMap((part) => message(field, part));
    const graph = [
      ...all(1, this.#nodes),
      ...text(2, 'graph'),
      ...all(5, this.#constants),
      ...all(11, this.#inputs),
      ...all(12, this.#outputs),
    ];
    const operators = (domain: string, version: number) =>
      message(8, [...text(1, domain), ...varint(2, version)]);
    return joined([...varint(1, 8), ...message(7, graph), ...operators('', 17), ...operators(CONTRIB, 1)]);
  }
}

function valueInfo(name: string, type: Type, sides: Sides): Pieces {
  const shape = sides.flatMap((side) =>
    message(1, typeof side === 'number' ? varint(1, side) : text(2, side)),
  );
  return [...text(1, name), ...message(2, message(1, [...varint(1, TYPES[type]), ...message(2, shape)]))];
}

const sizeOf = (pieces: Pieces): number => pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);

function joined(pieces: Pieces): Uint8Array {
  const whole = new Uint8Array(sizeOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** Seven bits to a byte, low ones first. */
const number = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 128, ...number(Math.floor(value / 128))];

const varint = (field: number, value: number): Pieces => [
  Uint8Array.from([...number(field * 8), ...number(value)]),
];
const float = (field: number, value: number): Pieces => [
  Uint8Array.from(number(field * 8 + 5)),
  new Uint8Array(Float32Array.of(value).buffer),
];
const message = (field: number, content: Pieces): Pieces => [
  Uint8Array.from([...number(field * 8 + 2), ...number(sizeOf(content))]),
  ...content,
];
const text = (field: number, value: string): Pieces => message(field, [new TextEncoder().encode(value)]);
