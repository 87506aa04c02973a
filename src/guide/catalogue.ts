/**
 * A model that is known to work, and what follows from the facts the list has of it. The facts are those of the repository's own
 * config.json that fix sizes; a run reads the file itself. Sizes are computed from them, not measured. The list: catalogueModels.ts.
 */
import { readConfig, type ModelConfig } from '../model/config';
import { titleOf } from '../model/families';
import { parameterCount } from '../model/shapes';
import type { Bytes } from '../units';

export type Licence = 'Apache-2.0' | 'MIT' | 'Llama 3.2' | 'Gemma';

/** Keys of config.json that fix the sizes of a model. */
export interface SizeFacts {
  architectures: [string];
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  head_dim?: number;
  max_position_embeddings: number;
  tie_word_embeddings: boolean;
}

export interface CatalogueModel {
  /** Repository on the hub. */
  id: string;
  name: string;
  licence: Licence;
  /** The hub asks for an account and consent before it sends the weights. */
  gated: boolean;
  /** What it is good for, in one sentence. */
  use: string;
  facts: SizeFacts;
  /** The files hold the head a second time although it is the embedding. */
  storedHead?: true;
}

/** The model's config as far as sizes go: rope, windows and stop tokens are the repository's own to tell. */
export function sizesOf({ facts }: CatalogueModel): ModelConfig {
  return readConfig(facts);
}

export function familyOf(model: CatalogueModel): string {
  return titleOf(sizesOf(model).family);
}

export function parametersOf(model: CatalogueModel): number {
  return parameterCount(sizesOf(model));
}

/** Computed: two bytes for each number stored, as bf16 safetensors hold it; the tokenizer's few megabytes are not in it. */
export function downloadBytes(model: CatalogueModel): Bytes {
  const config = sizesOf(model);
  const twice = model.storedHead ? config.vocab * config.hidden : 0;
  return 2 * (parameterCount(config) + twice);
}
