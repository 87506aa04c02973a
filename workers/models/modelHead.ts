/** What is known of a model before its first byte is kept, and the id by which the same bytes in the same form are known again. */
import type { Checkpoint } from '../../src/checkpoint/checkpoint';
import type { FileBytes } from '../../src/checkpoint/fileBytes';
import { sourceOf } from '../../src/checkpoint/source';
import { readConfig } from '../../src/model/config';
import { titleOf } from '../../src/model/families';
import { checkShapes } from '../../src/model/loadWeights';
import { parameterCount } from '../../src/model/shapes';
import type { ChatAssets } from '../../src/protocol/data';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import type { Bytes } from '../../src/units';
import { sha256 } from '../../src/storage/database';
import { LAYOUT, type ModelHead, type Origin } from '../../src/storage/schema';
import { keptTensors } from './repositoryModel';

/** Throws where shapes are not those of the model. */
export function headOf(
  id: string,
  name: string,
  checkpoint: Checkpoint,
  assets: ChatAssets,
  weightFormat: WeightFormat,
  origin: Origin | null,
): ModelHead {
  const config = readConfig(checkpoint.config);
  checkShapes(config, sourceOf(checkpoint));
  return {
    id,
    name,
    origin,
    family: titleOf(config.family),
    config: checkpoint.config,
    assets,
    parameters: parameterCount(config),
    weightFormat,
    layout: LAYOUT,
    created: Date.now(),
    files: [],
    tensors: keptTensors(config, weightFormat),
  };
}

/** Ids of kept models begin alike, and are the same for the same bytes in the same form. */
export async function idOf(facts: string[]): Promise<string> {
  return `kept-${(await sha256(new TextEncoder().encode(facts.join('\n')))).slice(0, 24)}`;
}

const PLACES = 64;
const SAMPLE: Bytes = 2 ** 16;

/**
 * Hash of 64 places of a file, from its beginning to its end: enough to know the same choice of files again, and to tell a model
 * apart from one that was trained a little further and lies under the same name. A file of up to 4 MiB is read whole.
 */
export async function samplesOf({ read, size }: Pick<FileBytes, 'read' | 'size'>): Promise<string> {
  const step = Math.max(0, size - SAMPLE) / (PLACES - 1);
  const places = new Set(Array.from({ length: PLACES }, (_, i) => Math.floor(i * step)));
  const hashes: string[] = [];
  for (const at of places) hashes.push(await sha256(await read(at, Math.min(size, at + SAMPLE))));
  return sha256(new TextEncoder().encode(hashes.join()));
}
