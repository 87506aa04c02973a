import { describe, expect, it } from 'vitest';
import { corpusBleu, sentenceBleu } from '../../src/evaluation/bleu';
import { chrF2 } from '../../src/evaluation/chrf';
import { bitsPerByte, perplexityPerToken } from '../../src/evaluation/likelihood';
import { exactMatch, finalNumber, finalNumberMatch, squadF1 } from '../../src/evaluation/metrics';
import { squadNormalise } from '../../src/evaluation/normalise';
import { rouge } from '../../src/evaluation/rouge';
import reference from '../fixtures/metrics/reference.json';

describe('metrics against reference values', () => {
  it.each(reference.pairs)('$id', ({ hypothesis, references, chrF2: chrf, exact, f1, bleu, rouge: r }) => {
    expect(chrF2(hypothesis, references)).toBeCloseTo(chrf, 7);
    expect(exactMatch(hypothesis, references, 'squad')).toBe(exact === 1);
    expect(squadF1(hypothesis, references)).toBeCloseTo(f1, 9);
    expect(sentenceBleu(hypothesis, references)).toBeCloseTo(bleu, 7);
    expect(rouge(hypothesis, references, '1')).toBeCloseTo(r.rouge1, 9);
    expect(rouge(hypothesis, references, '2')).toBeCloseTo(r.rouge2, 9);
    expect(rouge(hypothesis, references, 'L')).toBeCloseTo(r.rougeL, 9);
  });

  it.each(reference.corpus)(
    'BLEU of the corpus $name',
    ({ hypotheses, reference_streams: streams, bleu }) => {
      const rows = hypotheses.map((answer, row) => ({
        answer,
        references: streams.map((stream) => stream[row] ?? ''),
      }));
      expect(corpusBleu(rows)).toBeCloseTo(bleu, 7);
    },
  );

  it.each(reference.normalised)('normalises $text as SQuAD does', ({ text, squad }) => {
    expect(squadNormalise(text)).toBe(squad);
  });
});

describe('exact match', () => {
  it('differs by form: blanks at the ends, then case and punctuation', () => {
    expect(exactMatch('red kite\n', 'red kite', 'strict')).toBe(false);
    expect(exactMatch('red kite\n', 'red kite', 'trimmed')).toBe(true);
    expect(exactMatch('The red kite!', 'red kite', 'trimmed')).toBe(false);
    expect(exactMatch('The red kite!', 'red kite', 'squad')).toBe(true);
  });

  it('refuses to score without a reference', () => {
    expect(() => exactMatch('red', [], 'strict')).toThrow('0 were given, 1 is needed');
  });
});

describe('final number', () => {
  it.each([
    ['so it costs $1,250.50.', '1250.5'],
    ['In 2023-24', '24'],
    ['it fell to -07.0', '-7'],
    ['-0', '0'],
    ['#### 18', '18'],
    ['x1,234', '1234'],
    ['no figures here', null],
  ])('of "%s" is %s', (text, number) => {
    expect(finalNumber(text)).toBe(number);
  });

  it('two texts without a number do not match', () => {
    expect(finalNumberMatch('none', 'none')).toBe(false);
    expect(finalNumberMatch('5 + 7 = 12', '12.0')).toBe(true);
  });
});

describe('likelihood figures', () => {
  it('two tokens at −2.1 and −0.7 over 11 bytes', () => {
    // exp(2.8 / 2) = 4.0552; 2.8 / ln 2 / 11 = 0.36723
    expect(perplexityPerToken(-2.8, 2)).toBeCloseTo(4.0551999668446745, 12);
    expect(bitsPerByte(-2.8, 'Hello world')).toBeCloseTo(0.3672314649535543, 12);
  });

  it('counts bytes, not characters', () => {
    // "é" is two bytes: 1 bit of surprise is half a bit per byte.
    expect(bitsPerByte(-Math.LN2, 'é')).toBeCloseTo(0.5, 12);
  });
});
