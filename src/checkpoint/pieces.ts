/**
 * Weight files in the order of their bytes, as planes, a few rows at a time: what lets a model of any size pass through a small
 * memory. Every byte of a file passes, whether it is a weight or not, so that the whole can be hashed. Stores nothing.
 */
import type { WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import type { CheckpointTensor } from './checkpoint';
import type { FileBytes } from './fileBytes';
import type { Planes } from './planes';
import { planesOf, type Losses } from './planesOf';
import { rangesOfRows, rowAlignment, rowBytes, sidesOf, type RowBytes } from './rows';
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
}

/** Rows of a piece take about this much of the file, so that numbers, planes and bytes together stay small. */
const PIECE_BYTES: Bytes = 2 ** 20;

interface Span {
  begin: Bytes;
  end: Bytes;
  rows: { tensor: CheckpointTensor; row: number; rows: number } | null;
}

/**
 * Bytes `from` to the end of `file`. `from` is 0 or the `end` of something passed. `onBytes` sees every byte in order; what it
 * gets is overwritten afterwards.
 */
export async function* passFile(
  file: FileBytes,
  tensors: readonly CheckpointTensor[],
  wish: (tensor: string) => WeightFormat,
  from: Bytes,
  onBytes: (bytes: Uint8Array<ArrayBuffer>) => void = () => undefined,
): AsyncGenerator<Passed> {
  const spans = spansOf(file, tensors, from);
  let span = spans.next().value;
  let buffer = new Uint8Array(0);
  let filled = 0;
  for await (const bytes of file.stream(from, file.size)) {
    for (let at = 0; at < bytes.length;) {
      if (!span)
        throw new FormatError(`${file.name} has more than the ${file.size} bytes it was said to have.`);
      const length = span.end - span.begin;
      if (buffer.length < length) buffer = new Uint8Array(length);
      const take = Math.min(length - filled, bytes.length - at);
      buffer.set(bytes.subarray(at, at + take), filled);
      filled += take;
      at += take;
      if (filled < length) continue;
      const whole = buffer.subarray(0, length);
      onBytes(whole);
      yield await passSpan(span, whole, wish);
      filled = 0;
      span = spans.next().value;
    }
  }
  if (span) throw new FormatError(`${file.name} ended before byte ${span.end} of ${file.size}.`);
}

async function passSpan(
  { rows: held, end }: Span,
  bytes: Uint8Array<ArrayBuffer>,
  wish: (tensor: string) => WeightFormat,
): Promise<Passed> {
  if (!held) return { piece: null, losses: null, end };
  const { tensor, row, rows } = held;
  const chunk: RowBytes = { rows, bytes };
  const { affine } = rangesOfRows(tensor, row, rows);
  if (affine) {
    const { scales, biases } = affine;
    chunk.affine = {
      scales: await scales.file.read(scales.begin, scales.end),
      biases: await biases.file.read(biases.begin, biases.end),
    };
  }
  const { format, planes, losses } = planesOf(tensor, chunk, wish(tensor.name));
  return { piece: { tensor: tensor.name, row, rows, format, planes }, losses, end };
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
  for (const file of new Set(tensors.map(({ at }) => at.file)))
    for await (const { piece } of passFile(file, tensors, wish, 0)) if (piece) yield piece;
}
