/** What a LoRA adapter is, apart from the device: its settings and its numbers, named as PEFT names them. */
import type { ModelConfig } from '../model/config';
import { linearName, linearShape, targetIn, targetsOf } from '../model/shapes';
import type { Settings, Target } from '../protocol/settings';

export interface AdapterSpec {
  rank: number;
  alpha: number;
  rslora: boolean;
  dropout: number;
  targets: Target[];
  layers: number;
  /** Other ranks for some modules, by the end of their name (PEFT's rank_pattern). */
  rankPattern?: Record<string, number>;
  alphaPattern?: Record<string, number>;
}

export interface AdapterWeights {
  spec: AdapterSpec;
  /** `model.layers.0.self_attn.q_proj.lora_A` [rank, in] and `….lora_B` [out, rank] */
  tensors: Map<string, { shape: [number, number]; values: Float32Array }>;
}

export interface AdapterModule {
  layer: number;
  target: Target;
  name: string;
  rank: number;
  scale: number;
  out: number;
  in: number;
}

/** The adapter that settings ask for; layers that this model keeps in one matrix are adapted together. */
export function specOf(settings: Settings, config: ModelConfig): AdapterSpec {
  const { rank, alpha, rslora, dropout } = settings;
  const chosen = settings.targets.map((target) => targetIn(config, target));
  const targets = targetsOf(config).filter((target) => chosen.includes(target));
  return { rank, alpha, rslora, dropout, targets, layers: config.layers };
}

/** Every adapted module in the order in which its numbers lie in the flat buffers. */
export function adapterModules(spec: AdapterSpec, config: ModelConfig): AdapterModule[] {
  return Array.from({ length: spec.layers }, (_, layer) =>
    spec.targets.map((target): AdapterModule => {
      const name = linearName(layer, target);
      const rank = byPattern(spec.rankPattern, name) ?? spec.rank;
      const alpha = byPattern(spec.alphaPattern, name) ?? spec.alpha;
      const scale = alpha / (spec.rslora ? Math.sqrt(rank) : rank);
      return { layer, target, name, rank, scale, ...linearShape(config, target) };
    }),
  ).flat();
}

function byPattern(pattern: Record<string, number> | undefined, name: string): number | undefined {
  if (!pattern) return undefined;
  const found = Object.entries(pattern).find(([key]) => name === key || name.endsWith(`.${key}`));
  return found?.[1];
}
