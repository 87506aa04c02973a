/** The tokenizer of the demo models as files in Hugging Face layout: tokenizer.json and tokenizer_config.json. */
import { plainText, type Document } from './corpus';
import { learnMerges, type Merges } from './bpe';

export const VOCABULARY = 1024;
/** Ids 0, 1, 2. The first ends a story and pads, the others open and close a turn. */
export const SPECIALS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;
export const [END_OF_TEXT, TURN_START, TURN_END] = [0, 1, 2] as const;

export const CHAT_TEMPLATE =
  "{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}";

export interface TokenizerFiles {
  tokenizer: ReturnType<typeof tokenizerJson>;
  config: ReturnType<typeof tokenizerConfig>;
}

export function makeTokenizer(documents: Document[]): TokenizerFiles {
  const texts = documents.flatMap((document) => [...plainText(document), ...headers(document)]);
  return {
    tokenizer: tokenizerJson(learnMerges(texts, VOCABULARY - SPECIALS.length)),
    config: tokenizerConfig(),
  };
}

/** The role names and line ends that the template prints are counted too, so that each becomes one token. */
function headers(document: Document): string[] {
  if (document.kind === 'story') return [];
  return ['system', ...document.messages.map((message) => message.role)].flatMap((role) => [role, '\n']);
}

function tokenizerJson({ pieces, merges }: Merges) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIALS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries([...SPECIALS, ...pieces].map((piece, id) => [piece, id])),
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
}

function tokenizerConfig() {
  const [pad, , end] = SPECIALS;
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_bos_token: false,
    add_prefix_space: false,
    bos_token: null,
    eos_token: end,
    pad_token: pad,
    unk_token: null,
    clean_up_tokenization_spaces: false,
    model_max_length: 512,
    chat_template: CHAT_TEMPLATE,
  };
}
