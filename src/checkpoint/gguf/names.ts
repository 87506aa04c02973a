/** llama.cpp's names for the parts of a layer and outside the layers. (gguf-py, constants.py and tensor_mapping.py) */

/** Parts of a layer that are a matrix with perhaps a bias. */
export const GGUF_LINEAR = {
  q_proj: 'attn_q',
  k_proj: 'attn_k',
  v_proj: 'attn_v',
  o_proj: 'attn_output',
  gate_proj: 'ffn_gate',
  up_proj: 'ffn_up',
  down_proj: 'ffn_down',
  // of Phi-3, which has no up_proj
  qkv_proj: 'attn_qkv',
  gate_up_proj: 'ffn_up',
} as const;

/** Norms of a layer by what they do. */
export const GGUF_NORM = {
  attention: 'attn_norm',
  feedForward: 'ffn_norm',
  attentionOut: 'post_attention_norm',
  feedForwardOut: 'post_ffw_norm',
  query: 'attn_q_norm',
  key: 'attn_k_norm',
} as const;

const OUTSIDE_OF = new Map<string, string>([
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
  ['output.weight', 'lm_head.weight'],
]);

/** Parts of a layer: llama.cpp's name → Hugging Face's within the layer. */
export type LayerParts = ReadonlyMap<string, string>;

/** 'blk.3.attn_q.weight' → 'model.layers.3.self_attn.q_proj.weight'; null for a name that is not known. */
export function huggingFaceName(name: string, parts: LayerParts): string | null {
  const outside = OUTSIDE_OF.get(name);
  if (outside !== undefined) return outside;
  const match = /^blk\.(0|[1-9]\d{0,5})\.([a-z_]+)\.(weight|bias)$/.exec(name);
  const [, layer, part = '', kind] = match ?? [];
  const block = parts.get(part);
  return block === undefined ? null : `model.layers.${layer}.${block}.${kind}`;
}
