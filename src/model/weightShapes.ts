/** What a checkpoint must hold: the names and shapes of its tensors, from its config alone. Holds no tensors itself. */
import { TARGETS, type Target } from '../protocol/settings';
import { linearName, linearShape, type ModelConfig } from './config';

/** Names and shapes that a checkpoint must have. The one list that loading, saving and full fine-tuning read. */
export function weightShapes(config: ModelConfig): Map<string, number[]> {
  const { vocab, hidden, headDim } = config;
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocab, hidden]]]);
  for (let layer = 0; layer < config.layers; layer++) {
    const at = `model.layers.${layer}`;
    shapes.set(`${at}.input_layernorm.weight`, [hidden]);
    shapes.set(`${at}.post_attention_layernorm.weight`, [hidden]);
    if (config.qkNorm)
      for (const name of ['q_norm', 'k_norm']) shapes.set(`${at}.self_attn.${name}.weight`, [headDim]);
    for (const target of TARGETS) {
      const { out, in: width } = linearShape(config, target);
      shapes.set(`${linearName(layer, target)}.weight`, [out, width]);
      if (hasBias(config, target)) shapes.set(`${linearName(layer, target)}.bias`, [out]);
    }
  }
  shapes.set('model.norm.weight', [hidden]);
  if (!config.tied) shapes.set('lm_head.weight', [vocab, hidden]);
  return shapes;
}

export function hasBias(config: ModelConfig, target: Target): boolean {
  return config.qkvBias && ['q_proj', 'k_proj', 'v_proj'].includes(target);
}
