/** A model in one GGUF file as a checkpoint: tensors under Hugging Face's names, config.json and tokenizer made from its keys. */
import type { Checkpoint, CheckpointTensor } from '../checkpoint';
import { decodeRows } from '../decodeRows';
import type { FileBytes } from '../fileBytes';
import { readRows } from '../rows';
import { FormatError } from '../safetensors';
import { architectureOf, configFromGguf } from './config';
import { openGguf, type GgufEntry } from './container';
import { Metadata } from './metadata';
import { huggingFaceName } from './names';
import { tokenizerTexts } from './tokenizer';

/** Lists of rotary factors that lie among the weights; config.json says the same. */
const ROPE_FACTORS = /^(rope_freqs|rope_factors_long|rope_factors_short)\.weight$/;
const MOST_FACTORS = 4096;

/** `texts`: files beside it; a tokenizer.json among them goes before the one in the file. */
export async function openGgufModel(
  file: FileBytes,
  texts: ReadonlyMap<string, string>,
): Promise<Checkpoint> {
  const header = await openGguf(file);
  const metadata = new Metadata(header.pairs);
  const parts = metadata.number('split.count') ?? 1;
  if (parts > 1)
    throw new FormatError(
      `${file.name} is one of ${parts} parts of a GGUF model; models in one file are read.`,
    );
  const { id, architecture } = architectureOf(metadata);
  const heads = metadata.number(`${id}.attention.head_count`);
  const kvHeads = metadata.number(`${id}.attention.head_count_kv`) ?? heads;
  const tensors = new Map<string, CheckpointTensor>();
  const ropeFactors = new Map<string, Float32Array>();
  for (const entry of header.tensors.values()) {
    const factors = ROPE_FACTORS.exec(entry.name)?.[1];
    if (factors !== undefined) {
      ropeFactors.set(factors, await readFactors(entry, file));
      continue;
    }
    const name = huggingFaceName(entry.name, architecture.parts);
    if (name === null)
      throw new FormatError(`${file.name} holds ${entry.name}, which no layer of ${id} has.`);
    const paired = architecture.pairedRows ? /attn_([qk])\./.exec(entry.name)?.[1] : undefined;
    const ropeHeads = paired === undefined ? undefined : paired === 'q' ? heads : kvHeads;
    const tensor = placed(name, entry, file, ropeHeads);
    if (architecture.wholeGains && name.endsWith('norm.weight')) tensor.oneAdded = true;
    tensors.set(name, tensor);
  }
  const embedding = tensors.get('model.embed_tokens.weight');
  const [vocab] = embedding?.shape ?? [];
  if (vocab === undefined) throw new FormatError(`${file.name} has no embedding (token_embd.weight).`);
  const config = configFromGguf(metadata, {
    vocab,
    tied: !tensors.has('lm_head.weight'),
    attentionBias: tensors.has('model.layers.0.self_attn.q_proj.bias'),
    ropeFactors,
  });
  const own = texts.has('tokenizer.json') ? new Map<string, string>() : tokenizerTexts(metadata, vocab);
  return { tensors, config, texts: new Map([...own, ...texts]) };
}

function placed(
  name: string,
  entry: GgufEntry,
  file: FileBytes,
  ropeHeads: number | undefined,
): CheckpointTensor {
  const { shape, encoding, begin, end } = entry;
  const tensor: CheckpointTensor = { name, shape, encoding, at: { file, begin, end } };
  if (ropeHeads === undefined) return tensor;
  const [rows = 0] = shape;
  if (!Number.isInteger(ropeHeads) || ropeHeads < 1 || rows % (2 * ropeHeads) !== 0)
    throw new FormatError(`${entry.name} has ${rows} rows, which ${ropeHeads} heads cannot share in pairs.`);
  return { ...tensor, ropeHeads };
}

async function readFactors(entry: GgufEntry, file: FileBytes): Promise<Float32Array> {
  const [count = 0, ...rest] = entry.shape;
  if (rest.length > 0 || count > MOST_FACTORS)
    throw new FormatError(
      `${entry.name} is [${entry.shape.join(', ')}]; one list of at most ${MOST_FACTORS} is read.`,
    );
  const tensor = placed(entry.name, entry, file, undefined);
  return decodeRows(tensor, await readRows(tensor, 0, 1));
}
