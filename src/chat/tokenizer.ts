/**
 * Text to token ids and back, with the engine of transformers.js. What a template prints may hold special tokens; what a
 * person wrote never becomes one. Knows nothing of templates, turns or masks.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { GUARD } from '../dataset/checkText';
import { DataProblem } from '../dataset/problem';
import { field, isRow, type Row } from '../dataset/record';
import type { ChatAssets } from '../protocol/data';
import {
  prefixScheme,
  readAddedTokens,
  withGuard,
  withoutPrefix,
  type AddedToken,
  type PrefixScheme,
} from './tokenizerFile';

export type TokenizerAssets = Pick<ChatAssets, 'tokenizer' | 'tokenizerConfig' | 'vocabSize'>;

export class ChatTokenizer {
  /** Ids that are marked special in the file: no text of a person ever becomes one. */
  readonly specialIds: ReadonlySet<number>;
  /** Their strings and those of other added tokens that look like marks, e.g. `<think>`. */
  readonly controlStrings: readonly string[];
  readonly bosId: number | null;
  readonly eosId: number | null;
  /** What the file puts in front of a text of its own, in most families BOS or nothing. */
  readonly prefixIds: readonly number[];

  readonly #engine: Tokenizer;
  readonly #file: Row;
  readonly #config: Row;
  readonly #added: AddedToken[];
  readonly #scheme: PrefixScheme;
  readonly #control: RegExp | null;
  readonly #special: RegExp | null;
  #continuing: Tokenizer | null = null;

  constructor(assets: TokenizerAssets) {
    this.#added = readAddedTokens(assets.tokenizer, assets.vocabSize);
    this.#file = isRow(assets.tokenizer) ? assets.tokenizer : {};
    this.#config = isRow(assets.tokenizerConfig) ? assets.tokenizerConfig : {};
    this.#engine = startEngine(withGuard(this.#file), this.#config);
    this.#scheme = prefixScheme(this.#file);
    const special = this.#added.filter((token) => token.special);
    const control = this.#added.filter((token) => token.special || /^(<.+>|\[.+\])$/.test(token.content));
    this.specialIds = new Set(special.map((token) => token.id));
    this.controlStrings = control.map((token) => token.content);
    this.#control = anyOf(control);
    this.#special = anyOf(special);
    this.bosId = this.#idNamed('bos_token');
    this.eosId = this.#idNamed('eos_token');
    this.prefixIds = this.#readPrefix();
  }

  /** A text of a person, from its start: special tokens in it stay text, none are added. */
  encodeText(text: string): number[] {
    return this.#encode(this.guard(text));
  }

  /** What the model is to write after `before`, without a break: marks such as `<think>` keep their meaning. */
  encodeAnswerAfter(before: string, text: string): number[] {
    return this.encodeAfter(before, this.guard(text, true));
  }

  /** What a template printed: special tokens are recognised where they are not guarded, none are added. */
  encodeTemplate(text: string): number[] {
    return this.#encode(text);
  }

  /** What a template printed after `before`: as the whole would be encoded, cut at this place. */
  encodeAfter(before: string, text: string): number[] {
    if (text === '') return [];
    const startsSection = before === '' || (this.#scheme === 'always' && this.#endsWithAdded(before));
    if (this.#scheme === 'never' || startsSection) return this.#encode(text);
    const cut = this.#firstAdded(text);
    const head = text.slice(0, cut);
    return [...(head === '' ? [] : this.#continue(head)), ...this.#encode(text.slice(cut))];
  }

  /** The exact inverse of encoding, special tokens included. */
  decode(ids: ArrayLike<number>): string {
    const list = Array.from(ids);
    if (list.length === 0) return '';
    return this.#engine.decode(list, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  /** As for a reader: special tokens left out. */
  decodeAnswer(ids: ArrayLike<number>): string {
    return this.decode(Array.from(ids).filter((id) => !this.specialIds.has(id)));
  }

  /** The piece as it stands in the vocabulary. */
  token(id: number): string {
    return this.#engine.id_to_token(id) ?? `<${id}>`;
  }

  idOf(token: string): number | null {
    return this.#engine.token_to_id(token) ?? null;
  }

  /** True when `text` holds a string that would become a token of its own, were it not guarded. */
  holdsMark(text: string, inAnswer = false): boolean {
    return (inAnswer ? this.#special : this.#control)?.test(text) ?? false;
  }

  /**
   * Breaks every control string in a text with a guard, so that it is encoded as letters. In an answer only special tokens are
   * broken: marks such as `<think>` keep their meaning there.
   */
  guard(text: string, inAnswer = false): string {
    const pattern = inAnswer ? this.#special : this.#control;
    if (pattern === null) return text;
    let guarded = text;
    // Breaking one may leave another that overlapped it.
    while (pattern.test(guarded)) {
      const next = guarded.replace(pattern, (found) => {
        const [first = ''] = found;
        return first + GUARD + found.slice(first.length);
      });
      if (next.length === guarded.length) break;
      guarded = next;
    }
    return guarded;
  }

  #encode(text: string): number[] {
    return text === '' ? [] : this.#engine.encode(text, { add_special_tokens: false }).ids;
  }

  #continue(text: string): number[] {
    this.#continuing ??= new Tokenizer(withGuard(withoutPrefix(this.#file)), this.#config);
    return this.#continuing.encode(text, { add_special_tokens: false }).ids;
  }

  #endsWithAdded(text: string): boolean {
    return this.#added.some((token) => text.endsWith(token.content));
  }

  #firstAdded(text: string): number {
    let first = text.length;
    for (const { content } of this.#added) {
      const at = text.slice(0, first + content.length).indexOf(content);
      if (at !== -1 && at < first) first = at;
    }
    return first;
  }

  #idNamed(key: string): number | null {
    const named = field(this.#config, key);
    const content = isRow(named) ? field(named, 'content') : named;
    return typeof content === 'string' ? this.idOf(content) : null;
  }

  #readPrefix(): number[] {
    const bare = this.#encode('a');
    const whole = this.#engine.encode('a', { add_special_tokens: true }).ids;
    const start = whole.findIndex((_, i) => bare.every((id, k) => whole[i + k] === id));
    if (start > 0) return whole.slice(0, start);
    return field(this.#config, 'add_bos_token') === true && this.bosId !== null ? [this.bosId] : [];
  }
}

/** The engine takes a file of the right form on trust; what it cannot run must be said in the file's own terms. */
function startEngine(file: Row, config: Row): Tokenizer {
  try {
    const engine = new Tokenizer(file, config);
    engine.encode('a', { add_special_tokens: true });
    return engine;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataProblem(
      `tokenizer.json cannot be run: ${reason}. Take the file of the model’s own repository.`,
      { cause },
    );
  }
}

/** Matches any of the strings that a guard can break, the longest first. */
function anyOf(tokens: AddedToken[]): RegExp | null {
  const strings = tokens.map((token) => token.content).filter((content) => [...content].length > 1);
  if (strings.length === 0) return null;
  const escaped = strings
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(escaped.join('|'), 'u');
}
