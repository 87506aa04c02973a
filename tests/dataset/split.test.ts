/** The split is the same every time, keeps a question on one side and leaves no part empty. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutFor } from '../../src/dataset/cuts';
import { answerOf, promptOf, type Example, type Part } from '../../src/dataset/example';
import { normalisePrompt } from '../../src/dataset/groups';
import { splitExamples } from '../../src/dataset/split';

const example = (prompt: string, answer: string, part: Part | null = null): Example => ({
  line: 1,
  part,
  lesson: {
    kind: 'chat',
    messages: [
      { role: 'user', content: prompt },
      { role: 'assistant', content: answer },
    ],
  },
});
const many = (count: number): Example[] =>
  Array.from({ length: count }, (_, i) =>
    example(`question ${i}`, `a longer answer with the number ${i} in it, so it is no label`),
  );
const sizes = (parts: Record<Part, number[]>): number[] => [
  parts.train.length,
  parts.validation.length,
  parts.test.length,
];

it('tells how many prompts are drawn, a thousand at a time', async () => {
  const drawn: [number, number][] = [];
  await splitExamples(many(2500), 42, (done, of) => void drawn.push([done, of]));
  expect(drawn).toEqual([
    [1000, 2500],
    [2000, 2500],
    [2500, 2500],
  ]);
});

describe('the table of cuts', () => {
  it.each([
    [199, '80/20/0'],
    [200, '70/15/15'],
    [5000, '70/15/15'],
    [5001, '75/12.5/12.5'],
    [10_000, '75/12.5/12.5'],
    [10_001, '85/10/5'],
  ])('%i rows: %s', (rows, rule) => {
    expect(cutFor(rows).rule).toBe(rule);
  });

  it('1,000 rows are 700, 150 and 150; 100 are 80 and 20, and the same rows measure', async () => {
    expect(sizes((await splitExamples(many(1000), 42)).parts)).toEqual([700, 150, 150]);
    const small = await splitExamples(many(100), 42);
    expect(sizes(small.parts)).toEqual([80, 20, 0]);
    expect(small.testIsValidation).toBe(true);
    expect(small.reason).toContain('the same rows choose the best step and measure it');
  });

  it('at most 2,000 rows are held out in each part', async () => {
    expect(sizes((await splitExamples(many(45_000), 42)).parts)).toEqual([41_000, 2000, 2000]);
  });
});

describe('the rule', () => {
  it('does not depend on the order of the file, and changes with the seed', async () => {
    const rows = many(300);
    const backwards = [...rows].reverse();
    const names = (list: Example[], part: number[]): string[] =>
      part.map((i) => promptOf(list[i]?.lesson ?? { kind: 'text', text: '' }));
    const a = await splitExamples(rows, 42);
    const b = await splitExamples(backwards, 42);
    const c = await splitExamples(rows, 43);
    expect(names(backwards, b.parts.test)).toEqual(names(rows, a.parts.test));
    expect(names(rows, c.parts.test)).not.toEqual(names(rows, a.parts.test));
  });

  it('duplicates after normalising stay together and are counted', async () => {
    const rows = many(300).flatMap((row, i) =>
      i < 100
        ? [row, example(`  QUESTION\u00a0${i}`, 'another answer that is long enough to be no label')]
        : [row],
    );
    const { parts, warnings } = await splitExamples(rows, 42);
    const sideOf = new Map<string, Set<string>>();
    for (const [part, members] of Object.entries(parts)) {
      for (const i of members) {
        const key = normalisePrompt(promptOf(rows[i]?.lesson ?? { kind: 'text', text: '' }));
        sideOf.set(key, (sideOf.get(key) ?? new Set()).add(part));
      }
    }
    expect(sideOf.size).toBe(300);
    expect([...sideOf.values()].every((sides) => sides.size === 1)).toBe(true);
    expect(warnings.join()).toContain('100 rows ask what another row asks');
    expect(warnings.join()).toContain('100 prompts have different answers');
  });

  it('a label with one row is learned, never scored, and that is said; other labels are in every part', async () => {
    const rows = Array.from({ length: 300 }, (_, i) =>
      example(`text ${i}`, i === 0 ? 'rare' : i % 2 === 0 ? 'yes' : 'no'),
    );
    const { parts, warnings } = await splitExamples(rows, 42);
    expect(parts.train).toContain(0);
    expect(warnings.join()).toContain('1 labels have rows of one prompt only');
    for (const part of Object.values(parts))
      expect(new Set(part.filter((i) => i > 0).map((i) => i % 2)).size).toBe(2);
  });

  it('a question that another row answers on its way to a later one is on that row’s side', async () => {
    const rows = Array.from({ length: 100 }, (_, i): Example[] => {
      const asked = [
        { role: 'user' as const, content: `question ${i}` },
        { role: 'assistant' as const, content: `an answer that is too long to be a label, number ${i}` },
      ];
      const further = [
        { role: 'user' as const, content: 'And then?' },
        { role: 'assistant' as const, content: `another answer that is no label either, number ${i}` },
      ];
      return [asked, [...asked, ...further]].map((messages) => ({
        ...{ line: 1, part: null },
        lesson: { kind: 'chat', messages },
      }));
    }).flat();
    const { parts, warnings } = await splitExamples(rows, 42);
    // rows 2 i and 2 i + 1 belong together
    const sides = new Map<number, Set<string>>();
    for (const [part, members] of Object.entries(parts))
      for (const i of members) sides.set(i >> 1, (sides.get(i >> 1) ?? new Set()).add(part));
    expect([...sides.values()].every(({ size }) => size === 1)).toBe(true);
    expect(sizes(parts)).toEqual([140, 30, 30]);
    expect(warnings.join()).not.toContain('different answers');
  });

  it('an answer of weight 0 is not what a row is asked for', () => {
    const messages = [
      { role: 'user' as const, content: 'first' },
      { role: 'assistant' as const, content: 'good' },
      { role: 'user' as const, content: 'second' },
      { role: 'assistant' as const, content: 'bad', weight: 0 as const },
    ];
    const lesson = { kind: 'chat' as const, messages };
    expect([promptOf(lesson), answerOf(lesson)]).toEqual(['first', 'good']);
  });

  it('few questions, each many times, are no labels: as many different ones are held out as the rule says', async () => {
    // 60 questions with a short answer each, 400 rows
    const rows = Array.from({ length: 400 }, (_, i) => example(`capital ${i % 60}`, `town ${i % 60}`));
    const { parts } = await splitExamples(rows, 42);
    const different = (part: number[]) => new Set(part.map((i) => i % 60)).size;
    // 15 % of 60 are 9; questions have 6 or 7 rows, so that one more or less may fit
    expect(different(parts.test)).toBeGreaterThanOrEqual(8);
    expect(different(parts.validation)).toBeGreaterThanOrEqual(8);
    expect(different(parts.train)).toBeLessThanOrEqual(44);
  });

  it('one row, or one question, is explained', async () => {
    await expect(splitExamples(many(1), 42)).rejects.toThrow(/one usable row, so none can be held out/);
    await expect(splitExamples([example('a', 'b'), example('A ', 'c')], 42)).rejects.toThrow(
      /All 2 usable rows ask the same thing/,
    );
  });

  it('any rows with two questions: every row in one part, none of training or validation empty', async () => {
    const arbitrary = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.constantFrom('x', 'y', 'z')), {
      minLength: 2,
      maxLength: 260,
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, fc.integer({ min: 0, max: 99 }), async (raw, seed) => {
        const rows = raw.map(([question, answer]) => example(`q${question}`, answer));
        fc.pre(new Set(raw.map(([question]) => question)).size > 1);
        const { parts, testIsValidation } = await splitExamples(rows, seed);
        const all = [...parts.train, ...parts.validation, ...parts.test].sort((a, b) => a - b);
        expect(all).toEqual(rows.map((_, i) => i));
        expect(parts.train.length).toBeGreaterThan(0);
        expect(parts.validation.length).toBeGreaterThan(0);
        expect(testIsValidation).toBe(parts.test.length === 0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a split column', () => {
  it('overrides the rule', async () => {
    const rows = [example('a', 'x', 'train'), example('b', 'x', 'validation'), example('c', 'x', 'test')];
    const { parts, rule } = await splitExamples(rows, 42);
    expect(parts).toEqual({ train: [0], validation: [1], test: [2] });
    expect(rule).toBe('split column');
  });

  it('that leaks is followed, and the leak is counted', async () => {
    const rows = [example('a', 'x', 'train'), example('A', 'x', 'test'), example('b', 'x', 'validation')];
    expect((await splitExamples(rows, 42)).warnings.join()).toContain(
      '1 prompts stand in training and in a held-out part',
    );
  });

  it('that holds nothing out is explained', async () => {
    await expect(splitExamples([example('a', 'x', 'train'), example('b', 'x', 'train')], 42)).rejects.toThrow(
      /marks every row “train”/,
    );
  });
});
