/**
 * Weight files in the order of their bytes, as planes, a few rows at a time: what lets a model of any size pass through a small
 * memory. Every byte of a file passes, whether it is a weight or not, so that the whole can be hashed. Stores nothing.
 */
import type { Losses } from '../protocol/models';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import { ahead } from './ahead';
import { byteWork, type ByteWork, type HashState } from './byteWork';
import type { CheckpointTensor } from './checkpoint';
import type { FileBytes } from './fileBytes';
import type { Planes } from './planes';
import { release } from './release';
import { formOf, rangesOfRows, rowAlignment, rowBytes, sidesOf } from './rows';
import { FormatError } from './safetensors';

/** Whole rows of one tensor in a device format. */
export interface Piece {
  tensor: string;
  row: number;
  rows: number;
  format: WeightFormat;
  planes: Planes;
}

/** What lies between two places of a file; null: no rows of a tensor. */
export interface Passed {
  piece: Piece | null;
  losses: Losses | null;
  /** The place after it: from here one can go on. */
  end: Bytes;
  /** Of the file's hash at that place; null where none is asked for. */
  hash: HashState | null;
}

/** Rows of a piece take about this much of the file, so that numbers, planes and bytes together stay small. */
const PIECE_BYTES: Bytes = 2 ** 20;
/** So many pieces are on their way at once: one comes in, one is hashed, one is converted, the others wait for their turn. */
const AHEAD = 6;

interface Span {
  begin: Bytes;
  end: Bytes;
  rows: { tensor: CheckpointTensor; row: number; rows: number } | null;
}

/** Hashes every byte, or nothing, and makes planes of rows. */
export type Passing = Pick<ByteWork, 'convert'> & { hash: ByteWork['hash'] | null };

/** Bytes `from` to the end of `file`. `from` is 0 or the `end` of something passed. */
export async function* passFile(
  file: FileBytes,
  tensors: readonly CheckpointTensor[],
  wish: (tensor: string) => WeightFormat,
  from: Bytes,
  passing: Passing,
): AsyncGenerator<Passed> {
  // memory that was handed back, to be filled again
  const spare: ArrayBuffer[] = [];
  const fill = async function* () {
    for await (const { span, bytes } of filled(file, spansOf(file, tensors, from), from, spare)) {
      const passed = passSpan(span, bytes, wish, passing, spare);
      passed.catch(() => undefined); // awaited below, or not needed any more
      yield { passed };
    }
  };
  for await (const { passed } of ahead(fill(), AHEAD)) yield await passed;
}

/** Each span with its bytes, in memory that is the receiver's until it is put back into `spare`. */
async function* filled(
  file: FileBytes,
  spans: Generator<Span, undefined>,
  from: Bytes,
  spare: ArrayBuffer[],
): AsyncGenerator<{ span: Span; bytes: Uint8Array<ArrayBuffer> }> {
  const next = () => {
    const span = spans.next().value;
    return span && { span, bytes: memoryFor(span.end - span.begin, spare) };
  };
  let current = next();
  let count = 0;
  for await (const bytes of file.stream(from, file.size)) {
    for (let at = 0; at < bytes.length;) {
      if (!current)
        throw new FormatError(`${file.name} has more than the ${file.size} bytes it was said to have.`);
      const take = Math.min(current.bytes.length - count, bytes.length - at);
      current.bytes.set(bytes.subarray(at, at + take), count);
      count += take;
      at += take;
      if (count < current.bytes.length) continue;
      yield current;
      count = 0;
      current = next();
    }
    release(bytes);
  }
  if (current) throw new FormatError(`${file.name} ended before byte ${current.span.end} of ${file.size}.`);
}

function memoryFor(length: Bytes, spare: ArrayBuffer[]): Uint8Array<ArrayBuffer> {
  const found = spare.findIndex(({ byteLength }) => byteLength >= length);
  const [buffer = new ArrayBuffer(Math.max(length, PIECE_BYTES))] = found < 0 ? [] : spare.splice(found, 1);
  return new Uint8Array(buffer, 0, length);
}

async function passSpan(
  { rows: held, end }: Span,
  filledBytes: Uint8Array<ArrayBuffer>,
  wish: (tensor: string) => WeightFormat,
  { hash, convert }: Passing,
  spare: ArrayBuffer[],
): Promise<Passed> {
  const { state, bytes } = hash ? await hash(filledBytes) : { state: null, bytes: filledBytes };
  if (!held) {
    spare.push(bytes.buffer);
    return { piece: null, losses: null, end, hash: state };
  }
  const { tensor, row, rows } = held;
  const { affine } = rangesOfRows(tensor, row, rows);
  const converted = await convert(
    formOf(tensor),
    {
      ...{ rows, bytes },
      ...(affine && {
        affine: {
          scales: await affine.scales.file.read(affine.scales.begin, affine.scales.end),
          biases: await affine.biases.file.read(affine.biases.begin, affine.biases.end),
        },
      }),
    },
    wish(tensor.name),
  );
  const { format, planes, losses } = converted;
  spare.push(converted.bytes.buffer);
  return { piece: { tensor: tensor.name, row, rows, format, planes }, losses, end, hash: state };
}

/** The file from `from` on, cut at rows of tensors and at what lies between them. */
function* spansOf(
  file: FileBytes,
  tensors: readonly CheckpointTensor[],
  from: Bytes,
): Generator<Span, undefined> {
  const inside = tensors.filter(({ at }) => at.file === file).sort((a, b) => a.at.begin - b.at.begin);
  let at = from;
  for (const tensor of inside) {
    if (tensor.at.end <= at) continue;
    yield* gap(at, tensor.at.begin);
    const each = rowBytes(tensor);
    const { n } = sidesOf(tensor);
    const align = rowAlignment(tensor);
    const most = Math.max(align, Math.floor(PIECE_BYTES / each / align) * align);
    let row = (Math.max(at, tensor.at.begin) - tensor.at.begin) / each;
    if (!Number.isInteger(row) || row % align !== 0)
      throw new Error(`Byte ${at} of ${file.name} is within rows of ${tensor.name}; one cannot go on there.`);
    for (; row < n; row += most) {
      const rows = Math.min(most, n - row);
      const begin = tensor.at.begin + row * each;
      yield { begin, end: begin + rows * each, rows: { tensor, row, rows } };
    }
    at = tensor.at.end;
  }
  yield* gap(at, file.size);
}

function* gap(begin: Bytes, end: Bytes): Generator<Span> {
  for (let at = begin; at < end; at += PIECE_BYTES)
    yield { begin: at, end: Math.min(end, at + PIECE_BYTES), rows: null };
}

/** All weights of a checkpoint, file after file. */
export async function* piecesOf(
  tensors: readonly CheckpointTensor[],
  wish: (tensor: string) => WeightFormat,
): AsyncGenerator<Piece> {
  const { convert } = byteWork();
  for (const file of new Set(tensors.map(({ at }) => at.file)))
    for await (const { piece } of passFile(file, tensors, wish, 0, { convert, hash: null }))
      if (piece) yield piece;
}
