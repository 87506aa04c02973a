/**
 * The order of rows in the query and key layers. Hugging Face keeps the two halves of a head's rotary pairs apart; GGUF's
 * `llama` and `smollm3` architectures keep each pair together: row h·d + j·d/2 + i moves to row h·d + 2i + j (d rows a head,
 * j = 0 or 1). The others keep Hugging Face's order.
 */

/** values [rows, cols], Hugging Face's order → GGUF's order. `heads` is key-value heads for the key layer. */
export function joinPairs(values: Float32Array, rows: number, heads: number): Float32Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return new Float32Array(moveRows(bytes, rows, (row) => pairedRow(row, rows / heads)).buffer);
}

/** The way back. */
export function separatePairs(values: Float32Array, rows: number, heads: number): Float32Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return new Float32Array(separateRowBytes(bytes, rows, heads).buffer);
}

/** The way back for rows of any encoding: `bytes` holds `rows` rows of equal length. */
export function separateRowBytes(bytes: Uint8Array, rows: number, heads: number): Uint8Array<ArrayBuffer> {
  const destination = new Int32Array(rows);
  for (let row = 0; row < rows; row++) destination[pairedRow(row, rows / heads)] = row;
  return moveRows(bytes, rows, (row) => destination[row] ?? row);
}

function pairedRow(row: number, headRows: number): number {
  const head = Math.floor(row / headRows);
  const within = row % headRows;
  const half = headRows / 2;
  return head * headRows + 2 * (within % half) + Math.floor(within / half);
}

function moveRows(
  bytes: Uint8Array,
  rows: number,
  destination: (row: number) => number,
): Uint8Array<ArrayBuffer> {
  const size = bytes.length / rows;
  const moved = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++) {
    moved.set(bytes.subarray(row * size, (row + 1) * size), destination(row) * size);
  }
  return moved;
}
