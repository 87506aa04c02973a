/** A model's weights as shapes and forms alone, for work that is only gone through for its pipelines. They take no memory. */
import { WeightBuilder } from '../checkpoint/upload';
import { blankTensor } from '../gpu/tensors';
import { usableFormat, type WeightFormat } from '../protocol/weightFormats';
import type { ModelConfig } from './config';
import { formatOfTensor, weightShapes } from './shapes';
import { weightsOf, type ModelWeights } from './weights';

/** Forms and parts are those that `loadWeights` gives the same model. Only within `onlyPipelines`. */
export function blankWeights(config: ModelConfig, format: WeightFormat): ModelWeights {
  const shapes = weightShapes(config);
  const shapeOf = (name = '') => {
    const shape = shapes.get(name);
    if (!shape) throw new Error(`${name} belongs to no model of this family.`);
    return shape;
  };
  const rowsOf = (names: string[]) => names.reduce((sum, name) => sum + (shapeOf(name)[0] ?? 0), 0);
  return weightsOf(config, {
    vector: (name) => blankTensor(shapeOf(name)),
    joined: (names) => blankTensor([rowsOf(names)]),
    stacked: (names) => blankTensor([names.length, ...shapeOf(names[0])]),
    matrix: (name, members) => {
      const [first = name] = members;
      const [n = 0, k = 0] = shapeOf(first);
      const form = usableFormat(formatOfTensor(first, format), n, k);
      return new WeightBuilder(form, rowsOf(members), k, { label: name }).finish();
    },
  });
}
