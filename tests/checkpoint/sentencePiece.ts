/** A SentencePiece model (tokenizer.model) as the keys that llama.cpp's converter writes of it. */
import type { GgufValue } from '../../src/checkpoint/gguf/writer';

export interface Piece {
  token: string;
  score: number;
  /** As tokenizer.ggml.token_type counts. */
  type: number;
}

/** Pieces, scores and types out of a SentencePiece model: field 1 of the message, of which 1, 2, 3 are these. */
export function readSentencePiece(bytes: Uint8Array): Piece[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const pieces: Piece[] = [];
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) varint();
    else if ((tag & 7) === 5) at += 4;
    else {
      const end = varint() + at;
      const piece = { token: '', score: 0, type: 1 };
      while (tag === 10 && at < end) {
        const field = varint();
        if (field === 10) {
          const length = varint();
          piece.token = new TextDecoder().decode(bytes.subarray(at, at + length));
          at += length;
        } else if (field === 21) {
          piece.score = view.getFloat32(at, true);
          at += 4;
        } else if (field === 24) piece.type = varint();
        else throw new Error(`field ${field}`);
      }
      if (tag === 10) pieces.push(piece);
      at = end;
    }
  }
  return pieces;
}

/** `scores` are a list of numbers, which `ggufFile` takes apart from the other keys. */
export function sentencePieceKeys(bytes: Uint8Array, prefix = true) {
  const pieces = readSentencePiece(bytes);
  const id = (value: number): GgufValue => ({ type: 'u32', value });
  return {
    pairs: [
      ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
      ['tokenizer.ggml.pre', { type: 'string', value: 'default' }],
      ['tokenizer.ggml.tokens', { type: 'strings', value: pieces.map(({ token }) => token) }],
      ['tokenizer.ggml.token_type', { type: 'i32s', value: pieces.map(({ type }) => type) }],
      ['tokenizer.ggml.bos_token_id', id(1)],
      ['tokenizer.ggml.eos_token_id', id(2)],
      ['tokenizer.ggml.unknown_token_id', id(0)],
      ['tokenizer.ggml.add_space_prefix', { type: 'bool', value: prefix }],
    ] satisfies [string, GgufValue][],
    lists: new Map([['tokenizer.ggml.scores', Float32Array.from(pieces, ({ score }) => score)]]),
  };
}
