/**
 * A checkpoint as a list of tensors under their Hugging Face names, each with the place of its bytes and how they are encoded,
 * whatever file form it came in. Holds no weights.
 */
import type { Bytes } from '../units';
import type { FileBytes } from './fileBytes';

/** How the bytes of a tensor become numbers. MLX: packed words with scales and biases in tensors of their own. */
export type Encoding =
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'Q8_0'
  | 'Q4_0'
  | 'Q4_1'
  | 'Q5_0'
  | 'Q5_1'
  | 'Q4_K'
  | 'Q5_K'
  | 'Q6_K'
  | 'MLX4'
  | 'MLX8';

export interface ByteRange {
  file: FileBytes;
  begin: Bytes;
  end: Bytes;
}

export interface CheckpointTensor {
  /** As transformers names it, e.g. `model.layers.0.self_attn.q_proj.weight`. */
  name: string;
  /** [rows, width] of a matrix, [width] of a vector. */
  shape: number[];
  encoding: Encoding;
  at: ByteRange;
  /** MLX: scales and biases [rows, width / group], both in `dtype`. */
  affine?: { scales: ByteRange; biases: ByteRange; dtype: 'F32' | 'F16' | 'BF16'; group: number };
  /** GGUF of a llama or SmolLM3: rows lie in the order of another rotary convention; heads of this tensor. */
  ropeHeads?: number;
  /** GGUF of a Gemma: the file holds whole gains, Hugging Face their distance from 1. */
  oneAdded?: true;
}

export interface Checkpoint {
  tensors: ReadonlyMap<string, CheckpointTensor>;
  /** config.json, parsed; GGUF: made from its metadata. */
  config: unknown;
  /** Small text files by name: tokenizer.json, tokenizer_config.json, generation_config.json, chat_template.jinja. */
  texts: ReadonlyMap<string, string>;
}
