import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { byteAlphabet, learnMerges } from '../../scripts/demo-models/bpe';
import { firstDocuments, plainText } from '../../scripts/demo-models/corpus';
import { CHAT_TEMPLATE, makeTokenizer, SPECIALS, VOCABULARY } from '../../scripts/demo-models/tokenizerFiles';

const read = (path: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../public/demo/models/${path}`, import.meta.url), 'utf8'));

describe('learning merges', () => {
  it('joins the most frequent pair first and settles equal counts by text', () => {
    // In "abab abab ab": ab stands 5 times; then abab twice, once with a blank in front.
    const { pieces, merges } = learnMerges(['abab abab ab'], 258);
    expect(merges[0]).toEqual(['a', 'b']);
    expect(pieces.slice(0, 256)).toEqual(byteAlphabet());
    expect(pieces).toHaveLength(258);
  });

  it('says when the text is too poor for the size asked', () => {
    expect(() => learnMerges(['ab'], 300)).toThrow('has only 257 pieces; 300 were asked for');
  });
});

describe.each(['llama', 'qwen', 'mistral'])('the tokenizer of %s', (id) => {
  const files = makeTokenizer(firstDocuments(20_000));
  const tokenizer = new Tokenizer(files.tokenizer, files.config);

  it('is the one its script writes, with 1024 ids and the chat template', () => {
    expect(read(`${id}/tokenizer.json`)).toEqual(files.tokenizer);
    expect(read(`${id}/tokenizer_config.json`)).toEqual(files.config);
    expect(Object.keys(files.tokenizer.model.vocab)).toHaveLength(VOCABULARY);
    expect(files.config.chat_template).toBe(CHAT_TEMPLATE);
  });

  it('gives back the text, of the corpus and of other scripts', () => {
    const texts = [...firstDocuments(300, 9).flatMap(plainText), ' two  blanks\n', 'Zürich 東京 👍🏽 x = 1'];
    for (const text of texts) {
      expect(tokenizer.decode(tokenizer.encode(text, { add_special_tokens: false }).ids)).toBe(text);
    }
  });

  it('knows the three marks as ids 0, 1 and 2 and the words after a blank as single tokens', () => {
    expect(tokenizer.encode(SPECIALS.join('')).ids).toEqual([0, 1, 2]);
    const { tokens } = tokenizer.encode(
      '<|im_start|>user\nMia has three red kites in the garden.<|im_end|>\n',
    );
    const words = ['Mia', 'Ġhas', 'Ġthree', 'Ġred', 'Ġkites', 'Ġin', 'Ġthe', 'Ġgarden', '.'];
    expect(tokens).toEqual(['<|im_start|>', 'user', 'Ċ', ...words, '<|im_end|>', 'Ċ']);
  });
});
