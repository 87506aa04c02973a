/** A stored model as lists show it. */
import { readConfig } from '../../src/model/config';
import type { BaseName } from '../../src/exchange/peft';
import type { ModelSummary } from '../../src/protocol/models';
import { bytesOf } from '../../src/storage/modelParts';
import { LAYOUT, type RawModel, type StoredModel } from '../../src/storage/schema';
import { keptTensors } from './repositoryModel';

export function summaryOf(model: StoredModel): ModelSummary {
  const { id, name, family, parameters, bytes, weightFormat, origin, losses } = model;
  return {
    id,
    name,
    family,
    parameters,
    bytes,
    source: 'kept',
    contextLength: readConfig(model.config).contextLength,
    weightFormat,
    origin: origin && { repository: origin.repository, commit: origin.commit },
    ...(losses && { losses }),
  };
}

/** How other tools call a model: by its repository, which they load it from, and else by its name here. */
export const publishedAs = ({ name, origin }: Pick<ModelSummary, 'name' | 'origin'>): BaseName => ({
  name: origin?.repository ?? name,
  revision: origin?.commit ?? null,
});

/** What a model of version 1 will be once it is converted: exactly the numbers it has. */
export function headOfRaw(raw: RawModel): StoredModel {
  const { id, name, family, config, assets, parameters, created } = raw;
  const halves = raw.tensors.every(({ dtype, shape }) => dtype === 'F16' || shape.length < 2);
  const weightFormat = halves ? 'f16' : 'f32';
  const tensors = keptTensors(readConfig(config), weightFormat);
  return {
    ...{ id, name, family, config, assets, parameters, created, weightFormat, tensors },
    origin: null,
    layout: LAYOUT,
    files: [],
    parts: 0,
    bytes: tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0),
  };
}
