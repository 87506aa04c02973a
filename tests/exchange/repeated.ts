/**
 * llama.cpp fixes which layers of SmolLM3 and Gemma 3 turn or see a window only: every fourth and every sixth differs. The oracle's
 * models have two layers, so these repeat its layers until the pattern fits.
 */
import { sourceOfValues, type WeightSource } from '../../src/checkpoint/source';
import { readConfig, type ModelConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/shapes';
import { fixture, readJson } from './fixtures';

const PATTERNS = {
  smollm3: { num_hidden_layers: 4, layer_types: null, no_rope_layers: null, no_rope_layer_interval: 4 },
  gemma3_text: { num_hidden_layers: 6, layer_types: null, sliding_window_pattern: 6 },
};

export interface Repeated {
  /** config.json */
  json: Record<string, unknown>;
  config: ModelConfig;
  weights: () => Promise<WeightSource>;
  /** The name in the oracle's model of a tensor of this one. */
  within: (name: string) => string;
}

export function repeatedFixture(family: keyof typeof PATTERNS): Repeated {
  const { path, weights } = fixture(family);
  const json = { ...(readJson(path('config.json')) as object), ...PATTERNS[family] };
  const config = readConfig(json);
  const within = (name: string) =>
    name.replace(/layers\.(\d+)\./, (_, at: string) => `layers.${Number(at) % 2}.`);
  return {
    json,
    config,
    within,
    weights: async () => {
      const two = await weights();
      return sourceOfValues(weightShapes(config), (name) => two.read(within(name)));
    },
  };
}
