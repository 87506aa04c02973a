/** Encoding is what the reference tokenizers do, and no text of a person becomes a special token. */
import { PreTrainedTokenizer } from '@huggingface/transformers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextStream } from '../../src/chat/stream';
import { ChatTokenizer } from '../../src/chat/tokenizer';
import { fixtureAssets, fixtureFormat, readShared, realTokenizer, sharedAbsent } from './assets';

interface Golden {
  text: string;
  ids: number[];
  ids_with_special: number[];
  decoded: string;
}
const OPENERS: Record<string, { tokenizerConfig: unknown; vocabSize: number }> = {
  qwen: { tokenizerConfig: { eos_token: '<|im_end|>' }, vocabSize: 151_936 },
  mistral_v3: { tokenizerConfig: { bos_token: '<s>', eos_token: '</s>' }, vocabSize: 32_768 },
};
const real = new Map<string, ChatTokenizer>();
function open(name: string): ChatTokenizer {
  const known = real.get(name);
  if (known !== undefined) return known;
  const made = new ChatTokenizer({
    tokenizer: realTokenizer(name),
    ...(OPENERS[name] ?? { tokenizerConfig: {}, vocabSize: 0 }),
  });
  real.set(name, made);
  return made;
}

describe('golden encodings', () => {
  it.skipIf(sharedAbsent).each(['qwen', 'mistral_v3'])('all 36 strings of %s', (name) => {
    const tokenizer = open(name);
    const golden =
      (readShared('oracle/tokenizers/golden_encodings.json') as Record<string, Golden[]>)[name] ?? [];
    expect(golden.length).toBe(36);
    for (const { text, ids, ids_with_special, decoded } of golden) {
      expect(tokenizer.encodeTemplate(text), text).toEqual(ids);
      expect([...tokenizer.prefixIds, ...tokenizer.encodeTemplate(text)], text).toEqual(ids_with_special);
      expect(tokenizer.decode(ids), text).toBe(decoded);
    }
  });

  it.skipIf(sharedAbsent).each(['qwen', 'mistral_v3'])(
    '%s streams the text that it decodes at once',
    (name) => {
      const tokenizer = open(name);
      for (const text of [
        'Hello, world! 你好 🙂👩‍👩‍👧‍👦 naïve',
        'def f(x):\n    return x  # ok\n',
        'ﬁ ℃ \u{1F4A9}',
      ]) {
        const ids = tokenizer.encodeText(text);
        const stream = new TextStream(tokenizer);
        const pieces = ids.map((id) => stream.push(id));
        expect(pieces.join('') + stream.flush()).toBe(tokenizer.decode(ids));
        expect(pieces.join('')).not.toContain('\u{FFFD}');
      }
    },
  );

  it.skipIf(sharedAbsent)(
    'text after text is encoded as in one piece, without a second word-start mark',
    () => {
      const tokenizer = open('mistral_v3');
      const whole = tokenizer.encodeText('The capital of France is Paris.');
      const head = tokenizer.encodeText('The capital of France is');
      expect([...head, ...tokenizer.encodeAnswerAfter('The capital of France is', ' Paris.')]).toEqual(whole);
      // After a mark the section is new, and the reference puts a word-start there.
      const marked = tokenizer.encodeTemplate('[INST] Hi[/INST] Hello</s>');
      const prompt = tokenizer.encodeTemplate('[INST] Hi[/INST]');
      expect([...prompt, ...tokenizer.encodeAfter('[INST] Hi[/INST]', ' Hello</s>')]).toEqual(marked);
    },
  );
});

describe('the same as transformers', () => {
  it.each(['llama', 'qwen2', 'qwen3', 'mistral'])(
    '%s encodes and decodes like PreTrainedTokenizer',
    (model) => {
      const assets = fixtureAssets(model);
      const ours = new ChatTokenizer(assets);
      const theirs = new PreTrainedTokenizer(assets.tokenizer, assets.tokenizerConfig);
      for (const text of [
        'Hello, world!',
        '  two  blanks\n\nand lines',
        'naïve 你好 🙂',
        '<|im_start|>user\nHi<|im_end|>\n',
        '',
        "they're 12345",
      ]) {
        const expected = theirs.encode(text, { add_special_tokens: false });
        expect(ours.encodeTemplate(text), text).toEqual(expected);
        if (expected.length > 0)
          expect(ours.decode(expected)).toBe(
            theirs.decode(expected, { clean_up_tokenization_spaces: false }),
          );
      }
      expect([...ours.prefixIds, ...ours.encodeTemplate('Hi')]).toEqual(theirs.encode('Hi'));
    },
  );
});

describe('text of people', () => {
  const { tokenizer } = fixtureFormat('llama');

  it('special strings stay letters and come back unchanged', () => {
    for (const text of ['a<|im_end|>b', '<|im_start|>system', '<|bos|><|bos|>', '<|im_<|im_end|>end|>']) {
      const ids = tokenizer.encodeText(text);
      expect(ids.filter((id) => tokenizer.specialIds.has(id))).toEqual([]);
      expect(tokenizer.decode(ids)).toBe(text);
    }
    expect(tokenizer.encodeTemplate('a<|im_end|>b')).toContain(4);
  });

  it('any well-formed text round-trips and yields no special id', () => {
    const piece = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...tokenizer.controlStrings));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const text = pieces.join('').replaceAll(/[\u{FDD0}\u{FDD1}]/gu, '');
        const ids = tokenizer.encodeText(text);
        expect(ids.every((id) => !tokenizer.specialIds.has(id))).toBe(true);
        expect(tokenizer.decode(ids)).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it('a tokenizer with more ids than the model has rows is refused with both numbers', () => {
    expect(() => new ChatTokenizer({ ...fixtureAssets('llama'), vocabSize: 3 })).toThrow(
      /id 3; the model has 3 embedding rows/,
    );
  });
});
