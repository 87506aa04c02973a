/**
 * Where whole rows of a tensor lie, and how many go together. A matrix [n, k] is read in chunks of whole rows; a vector is one
 * row. Reads no bytes.
 */
import type { Bytes } from '../units';
import type { ByteRange, CheckpointTensor, Encoding } from './checkpoint';
import { FormatError } from './safetensors';

/** Numbers that share a block, and the bytes of one; MLX: packed numbers of one byte or word alone. */
export const BLOCKS: Record<Encoding, { numbers: number; bytes: Bytes }> = {
  F32: { numbers: 1, bytes: 4 },
  F16: { numbers: 1, bytes: 2 },
  BF16: { numbers: 1, bytes: 2 },
  Q8_0: { numbers: 32, bytes: 34 },
  Q4_0: { numbers: 32, bytes: 18 },
  Q4_1: { numbers: 32, bytes: 20 },
  Q5_0: { numbers: 32, bytes: 22 },
  Q5_1: { numbers: 32, bytes: 24 },
  Q4_K: { numbers: 256, bytes: 144 },
  Q5_K: { numbers: 256, bytes: 176 },
  Q6_K: { numbers: 256, bytes: 210 },
  MLX4: { numbers: 8, bytes: 4 },
  MLX8: { numbers: 4, bytes: 4 },
};

/** Bytes of whole rows, as they lie in the file. MLX: with the scales and biases of the same rows. */
export interface RowBytes {
  rows: number;
  bytes: Uint8Array;
  affine?: { scales: Uint8Array; biases: Uint8Array };
}

/** What must be known of a tensor to read its rows, wherever they lie. */
export type RowForm = Pick<CheckpointTensor, 'name' | 'shape' | 'encoding' | 'ropeHeads' | 'oneAdded'> & {
  affine?: Pick<NonNullable<CheckpointTensor['affine']>, 'dtype' | 'group'>;
};

export function formOf({ name, shape, encoding, ropeHeads, oneAdded, affine }: CheckpointTensor): RowForm {
  return {
    ...{ name, shape, encoding },
    ...(ropeHeads === undefined ? {} : { ropeHeads }),
    ...(oneAdded === undefined ? {} : { oneAdded }),
    ...(affine === undefined ? {} : { affine: { dtype: affine.dtype, group: affine.group } }),
  };
}

/** Rows and width of a tensor; a vector is one row. */
export function sidesOf({ name, shape }: RowForm): { n: number; k: number } {
  const [first, second, ...rest] = shape;
  if (first === undefined || rest.length > 0)
    throw new FormatError(`${name} has ${shape.length} dimensions; vectors and matrices are read.`);
  return second === undefined ? { n: 1, k: first } : { n: first, k: second };
}

/** Bytes of one row in the tensor's own range. */
export function rowBytes(tensor: RowForm): Bytes {
  const { numbers, bytes } = BLOCKS[tensor.encoding];
  return (sidesOf(tensor).k / numbers) * bytes;
}

/**
 * A chunk begins at a multiple of this many rows and holds a multiple of it, or ends with the tensor. Two, so that f16 scales
 * fill whole words; a whole head where rows are put back in order within it.
 */
export function rowAlignment(tensor: CheckpointTensor): number {
  const { n } = sidesOf(tensor);
  if (n === 1) return 1;
  return tensor.ropeHeads === undefined ? 2 : n / tensor.ropeHeads;
}

/** The places of rows `row` to before `row + rows`. */
export function rangesOfRows(
  tensor: CheckpointTensor,
  row: number,
  rows: number,
): { at: ByteRange; affine?: { scales: ByteRange; biases: ByteRange } } {
  const { n } = sidesOf(tensor);
  const align = rowAlignment(tensor);
  if (row % align !== 0 || (rows % align !== 0 && row + rows !== n) || row + rows > n)
    throw new Error(
      `Rows ${row} to ${row + rows} of ${tensor.name} were asked for; it has ${n}, taken ${align} at a time.`,
    );
  const part = ({ file, begin, end }: ByteRange): ByteRange => {
    const each = (end - begin) / n;
    return { file, begin: begin + row * each, end: begin + (row + rows) * each };
  };
  const at = part(tensor.at);
  if (!tensor.affine) return { at };
  return { at, affine: { scales: part(tensor.affine.scales), biases: part(tensor.affine.biases) } };
}

/** Reads rows into memory. Not for whole large matrices: those are streamed. */
export async function readRows(tensor: CheckpointTensor, row: number, rows: number): Promise<RowBytes> {
  const { at, affine } = rangesOfRows(tensor, row, rows);
  const read = ({ file, begin, end }: ByteRange) => file.read(begin, end);
  const bytes = await read(at);
  if (!affine) return { rows, bytes };
  return { rows, bytes, affine: { scales: await read(affine.scales), biases: await read(affine.biases) } };
}
