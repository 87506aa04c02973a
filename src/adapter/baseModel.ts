/** The base model: a model's weights as they are, with nothing trained. */
import type { ModelConfig } from '../model/config';
import type { Runnable } from '../model/forward';
import type { ModelWeights } from '../model/weights';
import { linear } from '../ops/linear';

export function baseModel(config: ModelConfig, weights: ModelWeights): Runnable {
  return {
    config,
    outside: weights,
    layer(index) {
      const own = weights.layers[index];
      if (!own) throw new Error(`There is no layer ${index}.`);
      return {
        norms: own.norms,
        linear: (x, projection, extra = {}) =>
          linear(x, own.linear[projection], { bias: own.bias[projection], ...extra }),
      };
    },
  };
}
