/** Opens a checkpoint from its files, whatever form they are in. Reads headers and small texts, no weights. */
import type { Checkpoint } from './checkpoint';
import type { FileBytes } from './fileBytes';
import { openGgufModel } from './gguf/openGguf';
import { FormatError } from './safetensors';
import { safetensorsTensors } from './safetensorsFiles';
import { parseStrictJson } from './strictJson';

/**
 * `texts`: small files by name. Safetensors need config.json, and model.safetensors.index.json where there are shards; a GGUF file
 * needs none, but a tokenizer.json goes before its own.
 */
export async function openCheckpoint(
  files: readonly FileBytes[],
  texts: ReadonlyMap<string, string>,
): Promise<Checkpoint> {
  const weights = files.filter(({ name }) => name.endsWith('.safetensors'));
  const [gguf, ...others] = files.filter(({ name }) => name.endsWith('.gguf'));
  if (gguf && (others.length > 0 || weights.length > 0)) {
    const found = [gguf, ...others, ...weights].map(({ name }) => name).join(', ');
    throw new FormatError(`One model is needed; these files hold several: ${found}. Choose one.`);
  }
  if (gguf) return openGgufModel(gguf, texts);
  if (weights.length === 0) {
    const found = files.map(({ name }) => name).join(', ') || 'none';
    throw new FormatError(
      `There is no .safetensors or .gguf file among the files of the model (found: ${found}).`,
    );
  }
  const config = parseText(texts, 'config.json');
  if (config === undefined) throw new FormatError('config.json is missing among the files of the model.');
  const index = parseText(texts, 'model.safetensors.index.json');
  return { tensors: await safetensorsTensors(weights, config, index), config, texts };
}

/** Undefined where there is no such file. */
function parseText(texts: ReadonlyMap<string, string>, name: string): unknown {
  const text = texts.get(name);
  if (text === undefined) return undefined;
  try {
    return parseStrictJson(text, { maxDepth: 16 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${name} cannot be read: ${reason}.`, { cause });
  }
}
