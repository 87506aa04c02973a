/** The tensors of a model in safetensors files, one or several, held against the index where there is one. */
import type { CheckpointTensor } from './checkpoint';
import type { FileBytes } from './fileBytes';
import { affineTensor, isCompanion } from './mlx';
import { FormatError, openSafetensors, type TensorEntry } from './safetensors';

export interface PlacedEntry {
  entry: TensorEntry;
  file: FileBytes;
}

/** `config`: config.json, parsed. `index`: model.safetensors.index.json, parsed; undefined without one. */
export async function safetensorsTensors(
  files: readonly FileBytes[],
  config: unknown,
  index: unknown,
): Promise<Map<string, CheckpointTensor>> {
  const placed = await placeEntries(files, index === undefined ? null : readWeightMap(index));
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, { entry, file }] of placed) {
    const { dtype, shape, begin, end } = entry;
    // whole numbers, such as position ids, are no weights
    if (dtype === 'I32' || dtype === 'I64' || dtype === 'U8' || isCompanion(name, placed)) continue;
    if (dtype === 'U32') tensors.set(name, affineTensor(name, placed, config));
    else tensors.set(name, { name, shape, encoding: dtype, at: { file, begin, end } });
  }
  return tensors;
}

/** Names to the file and place of each tensor. */
async function placeEntries(
  files: readonly FileBytes[],
  map: Map<string, string> | null,
): Promise<Map<string, PlacedEntry>> {
  const placed = new Map<string, PlacedEntry>();
  for (const file of chooseFiles(files, map)) {
    for (const entry of (await openSafetensors(file)).entries.values()) {
      const other = placed.get(entry.name);
      if (other)
        throw new FormatError(`The tensor ${entry.name} is in both ${other.file.name} and ${file.name}.`);
      const said = map?.get(entry.name);
      if (map && said !== baseName(file.name))
        throw new FormatError(
          `${file.name} holds ${entry.name}; the index ${said === undefined ? 'does not list it' : `says ${said}`}.`,
        );
      placed.set(entry.name, { entry, file });
    }
  }
  for (const [name, shard] of map ?? [])
    if (!placed.has(name)) throw new FormatError(`The index says that ${shard} holds ${name}; it does not.`);
  return placed;
}

/** The shards the index names; without an index model.safetensors, or else all. */
function chooseFiles(files: readonly FileBytes[], map: Map<string, string> | null): FileBytes[] {
  if (!map) {
    const whole = files.filter(({ name }) => baseName(name) === 'model.safetensors');
    return whole.length === 1 ? whole : [...files];
  }
  return [...new Set(map.values())].sort().map((shard) => {
    const file = files.find(({ name }) => baseName(name) === shard);
    if (!file)
      throw new FormatError(`The index names ${shard}, which is not among the ${files.length} weight files.`);
    return file;
  });
}

function readWeightMap(index: unknown): Map<string, string> {
  const map = isRecord(index) ? index['weight_map'] : undefined;
  if (!isRecord(map))
    throw new FormatError('model.safetensors.index.json has no "weight_map" of names to files.');
  return new Map(
    Object.entries(map).map(([name, shard]) => {
      if (typeof shard !== 'string' || !/^[^/\\]+\.safetensors$/.test(shard))
        throw new FormatError(`The index names ${JSON.stringify(shard)} for ${name}; a file name is needed.`);
      return [name, shard];
    }),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function baseName(path: string): string {
  return path.split('/').at(-1) ?? path;
}
