/**
 * Documents of different lengths become rows of exactly `length` tokens: each goes into the first row that has room. Attention
 * and positions restart at each document; nothing is learned across a border or in the padding.
 */
import type { PackedRows } from '../protocol/data';
import type { Tokens } from '../units';
import type { MaskedRow } from './mask';

/** Where each document goes: `[row, position]`, and how many rows that makes. */
export function placeFirstFit(
  lengths: readonly Tokens[],
  length: Tokens,
): { places: [row: number, at: number][]; rows: number } {
  // A tree over rows whose nodes hold the most room below them finds the first fit in a few steps.
  let size = 1;
  while (size < lengths.length) size *= 2;
  const room = new Int32Array(2 * size).fill(length);
  let rows = 0;
  const places = lengths.map((needed): [number, number] => {
    if (needed > length)
      throw new Error(`A document of ${needed} tokens cannot be packed into rows of ${length}.`);
    let node = 1;
    while (node < size) node = (room[2 * node] ?? 0) >= needed ? 2 * node : 2 * node + 1;
    const row = node - size;
    const at = length - (room[node] ?? 0);
    room[node] = (room[node] ?? 0) - needed;
    for (let up = node >> 1; up >= 1; up >>= 1) room[up] = Math.max(room[2 * up] ?? 0, room[2 * up + 1] ?? 0);
    rows = Math.max(rows, row + 1);
    return [row, at];
  });
  return { places, rows };
}

/** ids, targets, documentStart [rows * length]: the layout that `PackedRows` describes. */
export function pack(documents: readonly MaskedRow[], length: Tokens): PackedRows {
  const { places, rows } = placeFirstFit(
    documents.map((document) => document.ids.length),
    length,
  );
  const ids = new Int32Array(rows * length);
  const targets = new Int32Array(rows * length).fill(-1);
  const documentStart = new Int32Array(rows * length);
  const filled = new Int32Array(rows);
  let supervised = 0;
  documents.forEach((document, i) => {
    const [row, at] = places[i] ?? [0, 0];
    const base = row * length + at;
    const count = document.ids.length;
    ids.set(document.ids, base);
    documentStart.fill(at, base, base + count);
    for (let t = 0; t + 1 < count; t++) {
      if (document.learn[t + 1] !== 1) continue;
      targets[base + t] = document.ids[t + 1] ?? -1;
      supervised++;
    }
    filled[row] = Math.max(filled[row] ?? 0, at + count);
  });
  filled.forEach((end, row) => documentStart.fill(end, row * length + end, (row + 1) * length));
  return { length, rows, ids, targets, documentStart, examples: documents.length, supervised };
}

/** A text that is longer than a row, as pieces that follow each other. */
export function cutLong(document: MaskedRow, length: Tokens): MaskedRow[] {
  const pieces: MaskedRow[] = [];
  for (let at = 0; at < document.ids.length; at += length) {
    const piece = { ids: document.ids.slice(at, at + length), learn: document.learn.slice(at, at + length) };
    piece.learn[0] = 0;
    if (piece.ids.length > 1) pieces.push(piece);
  }
  return pieces;
}
