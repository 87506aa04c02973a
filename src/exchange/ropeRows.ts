/**
 * The order of rows in the query and key layers. Hugging Face keeps the two halves of a head's rotary pairs apart; GGUF's
 * `llama` architecture keeps each pair together: row h·d + j·d/2 + i moves to row h·d + 2i + j (d rows a head, j = 0 or 1).
 * qwen2 and qwen3 keep Hugging Face's order.
 */

/** values [rows, cols], Hugging Face's order → GGUF's order. `heads` is key-value heads for the key layer. */
export function joinPairs(values: Float32Array, rows: number, heads: number): Float32Array {
  return moveRows(values, rows, (row) => pairedRow(row, rows / heads));
}

/** The way back. */
export function separatePairs(values: Float32Array, rows: number, heads: number): Float32Array {
  const destination = new Int32Array(rows);
  for (let row = 0; row < rows; row++) destination[pairedRow(row, rows / heads)] = row;
  return moveRows(values, rows, (row) => destination[row] ?? row);
}

function pairedRow(row: number, headRows: number): number {
  const head = Math.floor(row / headRows);
  const within = row % headRows;
  const half = headRows / 2;
  return head * headRows + 2 * (within % half) + Math.floor(within / half);
}

function moveRows(values: Float32Array, rows: number, destination: (row: number) => number): Float32Array {
  const cols = values.length / rows;
  const moved = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    moved.set(values.subarray(row * cols, (row + 1) * cols), destination(row) * cols);
  }
  return moved;
}
