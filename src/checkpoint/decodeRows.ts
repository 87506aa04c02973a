/** Bytes of whole rows of a tensor as numbers, whatever their encoding. The definition that repacking is judged by. */
import { decodeAffine } from './blocks/affine';
import { decodeQ4K, decodeQ5K, decodeQ6K } from './blocks/kQuants';
import { decodeLegacy } from './blocks/legacy';
import { separateRowBytes } from './gguf/ropeRows';
import { BLOCKS, rowBytes, sidesOf, type RowBytes, type RowForm } from './rows';
import { FormatError, toFloat32 } from './safetensors';

/**
 * [rows, width], row-major, rows in Hugging Face's order. `chunk` begins and ends at rowAlignment(tensor). `memory` gives the room
 * for so many numbers; every one of them is written.
 */
export function decodeRows(
  tensor: RowForm,
  chunk: RowBytes,
  memory: (count: number) => Float32Array<ArrayBuffer> = (count) => new Float32Array(count),
): Float32Array<ArrayBuffer> {
  const values = decodeStored(tensor, chunk, memory);
  if (tensor.oneAdded) for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) - 1;
  return values;
}

function decodeStored(
  tensor: RowForm,
  chunk: RowBytes,
  memory: (count: number) => Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  const { encoding } = tensor;
  const bytes = bytesInOrder(tensor, chunk);
  const { numbers, bytes: size } = BLOCKS[encoding];
  const out = () => memory((bytes.length / size) * numbers);
  const filled = (fill: (values: Float32Array) => void) => {
    const values = out();
    fill(values);
    return values;
  };
  switch (encoding) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return toFloat32(bytes, encoding, out());
    case 'Q8_0':
    case 'Q4_0':
    case 'Q4_1':
    case 'Q5_0':
    case 'Q5_1':
      return filled((values) => decodeLegacy(bytes, encoding, values));
    case 'Q4_K':
      return filled((values) => decodeQ4K(bytes, values));
    case 'Q5_K':
      return filled((values) => decodeQ5K(bytes, values));
    case 'Q6_K':
      return filled((values) => decodeQ6K(bytes, values));
    case 'MLX4':
    case 'MLX8': {
      const { group, scales, biases } = affineOf(tensor, chunk);
      return filled((values) =>
        decodeAffine(bytes, encoding === 'MLX4' ? 4 : 8, group, scales, biases, values),
      );
    }
  }
}

/** Scales and biases of the rows of an MLX matrix, one for each group of numbers. */
export function affineOf(
  tensor: RowForm,
  chunk: RowBytes,
): { group: number; scales: Float32Array; biases: Float32Array } {
  if (!tensor.affine || !chunk.affine)
    throw new FormatError(`${tensor.name} is packed by MLX, but its scales and biases were not given.`);
  const { group, dtype } = tensor.affine;
  const scales = toFloat32(chunk.affine.scales, dtype);
  const biases = toFloat32(chunk.affine.biases, dtype);
  const groups = (chunk.rows * sidesOf(tensor).k) / group;
  if (scales.length !== groups || biases.length !== groups)
    throw new FormatError(
      `${chunk.rows} rows of ${tensor.name} come with ${scales.length} scales and ${biases.length} biases; ${groups} are needed.`,
    );
  return { group, scales, biases };
}

/** The bytes of a chunk, its length checked, its rows in Hugging Face's order. */
export function bytesInOrder(tensor: RowForm, { rows, bytes }: RowBytes): Uint8Array {
  const expected = rows * rowBytes(tensor);
  if (bytes.length !== expected)
    throw new FormatError(
      `${rows} rows of ${tensor.name} (${tensor.encoding}, width ${sidesOf(tensor).k}) have ${bytes.length} bytes; ${expected} are needed.`,
    );
  if (tensor.ropeHeads === undefined) return bytes;
  const { n, k } = sidesOf(tensor);
  // the bias of a layer lies as one row; its numbers are the layer's rows
  return n === 1
    ? separateRowBytes(bytes, k, tensor.ropeHeads)
    : separateRowBytes(bytes, rows, (tensor.ropeHeads * rows) / n);
}
