/** Bytes of whole rows of a tensor as numbers, whatever their encoding. The definition that repacking is judged by. */
import type { CheckpointTensor } from './checkpoint';
import { rowBytes, sidesOf, type RowBytes } from './rows';
import { FormatError, toFloat32 } from './safetensors';

/** [rows, width], row-major. */
export function decodeRows(tensor: CheckpointTensor, chunk: RowBytes): Float32Array<ArrayBuffer> {
  checkLength(tensor, chunk);
  switch (tensor.encoding) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return toFloat32(chunk.bytes, tensor.encoding);
    default:
      throw new FormatError(`${tensor.name} is ${tensor.encoding}, which is not read.`);
  }
}

export function checkLength(tensor: CheckpointTensor, { rows, bytes }: RowBytes): void {
  const expected = rows * rowBytes(tensor);
  if (bytes.length !== expected)
    throw new FormatError(
      `${rows} rows of ${tensor.name} (${tensor.encoding}, width ${sidesOf(tensor).k}) have ${bytes.length} bytes; ${expected} are needed.`,
    );
}
