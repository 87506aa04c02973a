/** Tokens as the viewer shows them: what stands there is the text, and where a character is divided its bytes. */
import { describe, expect, it } from 'vitest';
import { ChatTokenizer } from '../../src/chat/tokenizer';
import { tokenText } from '../../src/chat/view';
import { fixtureAssets, realTokenizer, sharedAbsent } from './assets';
import { utf8 } from '../dataset/bytes';

const TEXTS = ['مرحبا بالعالم', '你好，世界', '日本語のテキスト', '🙂👩‍👩‍👧‍👦 naïve', 'a \u{FFFD} b', 'plain'];

/** The bytes that what is shown stands for. */
function shownBytes(shown: string): number[] {
  return shown.split(/(⟨[0-9A-F ]+⟩)/).flatMap((part) =>
    part.startsWith('⟨')
      ? part
          .slice(1, -1)
          .split(' ')
          .map((byte) => parseInt(byte, 16))
      : [...utf8(part)],
  );
}

function expectTrue(tokenizer: ChatTokenizer, text: string): void {
  const shown = tokenizer.encodeText(text).map((id) => tokenText(tokenizer, id));
  expect(shownBytes(shown.join('')).join(), text).toBe([...utf8(text)].join());
  // no letter is shown that the text does not have
  for (const letter of shown.join('').replace(/⟨[0-9A-F ]+⟩/g, '')) expect(text).toContain(letter);
}

describe('what is shown of a text is its letters and bytes, and nothing else', () => {
  it.each(['llama', 'qwen2'])('%s', (model) => {
    const tokenizer = new ChatTokenizer(fixtureAssets(model));
    for (const text of TEXTS) expectTrue(tokenizer, text);
  });

  it.skipIf(sharedAbsent)('a real vocabulary, with tokens of several characters', () => {
    const assets = { tokenizer: realTokenizer('qwen'), tokenizerConfig: {}, vocabSize: 151_936 };
    const tokenizer = new ChatTokenizer(assets);
    for (const text of TEXTS) expectTrue(tokenizer, text);
  });
});

it('a character that is divided among tokens is shown as bytes, one that is not as itself', () => {
  const { tokenizer } = fixtureAssets('llama') as {
    tokenizer: { model: { vocab: object; merges: unknown[] } };
  };
  // م is D9 85, written Ù and ħ; ر is D8 B1: a token of the first and half of the second
  const model = { ...tokenizer.model, vocab: { Ù: 0, ħ: 1, Ø: 2, '±': 3, Ùħ: 4, ÙħØ: 5 } };
  const merges = [
    ['Ù', 'ħ'],
    ['Ùħ', 'Ø'],
  ];
  const assets = {
    tokenizer: { ...tokenizer, model: { ...model, merges }, added_tokens: [] },
    tokenizerConfig: {},
    vocabSize: 6,
  };
  const small = new ChatTokenizer(assets);
  const shown = (text: string) => small.encodeText(text).map((id) => tokenText(small, id));
  expect(shown('م')).toEqual(['م']);
  expect(shown('مر')).toEqual(['م⟨D8⟩', '⟨B1⟩']);
});

it('a fallback byte of SentencePiece is shown as a byte', () => {
  const piece = { specialIds: new Set(), token: () => '<0xE4>', decode: () => '\u{FFFD}' };
  expect(tokenText(piece as unknown as ChatTokenizer, 3)).toBe('⟨E4⟩');
});
