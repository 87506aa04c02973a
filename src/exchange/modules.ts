/**
 * Which linear layers an adapter spec means, and with what rank and alpha. PEFT's patterns may change both for single
 * layers: a key means every layer whose name ends in it, and the first key that fits decides.
 */
import type { AdapterSpec } from '../adapter/spec';
import { linearName, linearShape, type ModelConfig } from '../model/config';
import type { Target } from '../protocol/settings';

export interface AdaptedModule {
  /** e.g. "model.layers.0.self_attn.q_proj" */
  name: string;
  layer: number;
  target: Target;
  rank: number;
  alpha: number;
  /** What the product x Aᵀ Bᵀ is multiplied by: alpha / rank, with rsLoRA alpha / √rank. */
  scale: number;
  in: number;
  out: number;
}

export function adaptedModules(spec: AdapterSpec, model: ModelConfig): AdaptedModule[] {
  return Array.from({ length: model.layers }, (_, layer) =>
    spec.targets.map((target) => {
      const name = linearName(layer, target);
      const rank = patternValue(spec.rankPattern, name) ?? spec.rank;
      const alpha = patternValue(spec.alphaPattern, name) ?? spec.alpha;
      const scale = alpha / (spec.rslora ? Math.sqrt(rank) : rank);
      return { name, layer, target, rank, alpha, scale, ...linearShape(model, target) };
    }),
  ).flat();
}

function patternValue(pattern: Record<string, number> | undefined, name: string): number | undefined {
  return Object.entries(pattern ?? {}).find(([key]) => name === key || name.endsWith(`.${key}`))?.[1];
}
