/** llama.cpp's tensor names and Hugging Face's, what is read is of the architectures llama, qwen2 and qwen3. (gguf-py, constants.py) */

/** Parts of a layer that are a matrix with perhaps a bias. */
export const GGUF_LINEAR = {
  q_proj: 'attn_q',
  k_proj: 'attn_k',
  v_proj: 'attn_v',
  o_proj: 'attn_output',
  gate_proj: 'ffn_gate',
  up_proj: 'ffn_up',
  down_proj: 'ffn_down',
  // of Phi-3
  qkv_proj: 'attn_qkv',
  gate_up_proj: 'ffn_up',
} as const;

/** Parts that are read back under these names. */
const READ = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

/** Their norms. */
export const GGUF_NORM = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
} as const;

/** Outside the layers. */
export const GGUF_OUTSIDE = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
} as const;

const BLOCK_OF = new Map<string, string>([
  ...READ.map((name): [string, string] => [
    GGUF_LINEAR[name],
    `${/^(gate|up|down)/.test(name) ? 'mlp' : 'self_attn'}.${name}`,
  ]),
  ...Object.entries(GGUF_NORM).map(([name, gguf]): [string, string] => [gguf, name]),
]);
const OUTSIDE_OF = new Map<string, string>(Object.entries(GGUF_OUTSIDE).map(([name, gguf]) => [gguf, name]));

/** 'blk.3.attn_q.weight' → 'model.layers.3.self_attn.q_proj.weight'; null for a name that is not known. */
export function huggingFaceName(name: string): string | null {
  const outside = OUTSIDE_OF.get(name);
  if (outside !== undefined) return outside;
  const match = /^blk\.(0|[1-9]\d{0,5})\.([a-z_]+)\.(weight|bias)$/.exec(name);
  const [, layer, part = '', kind] = match ?? [];
  const block = BLOCK_OF.get(part);
  return block === undefined ? null : `model.layers.${layer}.${block}.${kind}`;
}
