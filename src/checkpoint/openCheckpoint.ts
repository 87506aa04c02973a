/** Opens a checkpoint from its files, whatever form they are in. Reads headers and small texts, no weights. */
import type { Checkpoint } from './checkpoint';
import type { FileBytes } from './fileBytes';
import { FormatError } from './safetensors';
import { safetensorsTensors } from './safetensorsFiles';
import { parseStrictJson } from './strictJson';

/** `texts`: small files by name, at least config.json, and model.safetensors.index.json where there are shards. */
export async function openCheckpoint(
  files: readonly FileBytes[],
  texts: ReadonlyMap<string, string>,
): Promise<Checkpoint> {
  const weights = files.filter(({ name }) => name.endsWith('.safetensors'));
  if (weights.length === 0) {
    const found = files.map(({ name }) => name).join(', ') || 'none';
    throw new FormatError(`There is no .safetensors file among the files of the model (found: ${found}).`);
  }
  const config = parseText(texts, 'config.json');
  if (config === null) throw new FormatError('config.json is missing among the files of the model.');
  const tensors = await safetensorsTensors(weights, config, parseText(texts, 'model.safetensors.index.json'));
  return { tensors, config, texts };
}

function parseText(texts: ReadonlyMap<string, string>, name: string): unknown {
  const text = texts.get(name);
  if (text === undefined) return null;
  try {
    return parseStrictJson(text, { maxDepth: 16 });
  } catch (cause) {
    throw new FormatError(
      `${name} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  }
}
