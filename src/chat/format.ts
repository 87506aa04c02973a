/** How a model reads and writes: tokenizer, template and the ids that end an answer, opened from its assets once. */
import type { ChatAssets } from '../protocol/data';
import { openTemplate, type ChatTemplate } from './template';
import { ChatTokenizer } from './tokenizer';

export interface ChatFormat {
  tokenizer: ChatTokenizer;
  /** Null for a model without one: turns are then plain text. */
  template: ChatTemplate | null;
  /** Ids that end an answer, the template's own first. */
  stopIds: number[];
  /** The id after plain text and completions; null where the model has no end mark at all. */
  plainEndId: number | null;
}

export function openFormat(assets: ChatAssets): ChatFormat {
  const tokenizer = new ChatTokenizer(assets);
  const template = openTemplate(assets, tokenizer);
  const { stopIds } = assets;
  return { tokenizer, template, stopIds, plainEndId: tokenizer.eosId ?? stopIds[0] ?? null };
}
