/** What is known of a model before its first byte is kept, and the id by which the same bytes in the same form are known again. */
import type { Checkpoint } from '../src/checkpoint/checkpoint';
import type { FileBytes } from '../src/checkpoint/fileBytes';
import { sourceOf } from '../src/checkpoint/source';
import { readConfig } from '../src/model/config';
import { titleOf } from '../src/model/families';
import { checkShapes } from '../src/model/loadWeights';
import { parameterCount } from '../src/model/shapes';
import type { ChatAssets } from '../src/protocol/data';
import type { WeightFormat } from '../src/protocol/weightFormats';
import { sha256 } from '../src/storage/database';
import { LAYOUT, type ModelHead, type Origin } from '../src/storage/schema';
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

/** Hash of a file's beginning, end and middle: enough to know the same choice of files again. */
export async function startOf(read: FileBytes['read'], size: number): Promise<string> {
  const sample = 2 ** 16;
  const places = [0, Math.floor(size / 2), Math.max(0, size - sample)];
  const parts = await Promise.all(places.map((at) => read(at, Math.min(size, at + sample))));
  return (await Promise.all(parts.map((part) => sha256(part)))).join(' ');
}
