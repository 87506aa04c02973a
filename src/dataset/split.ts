/**
 * Divides examples into what is learned from, what is watched while learning, and what is scored at the end. The same file and
 * seed always give the same parts; a question is never on two sides; no part that is needed is left empty.
 */
import { cutFor, withoutTest, type Cut } from './cuts';
import type { Example, Part } from './example';
import { contradictions, groupByPrompt, type Group } from './groups';
import { DataProblem } from './problem';

export interface Split {
  /** Indices into the examples, in hash order. */
  parts: Record<Part, number[]>;
  rule: string;
  /** For people: why these parts. */
  reason: string;
  /** True when the validation rows also measure the result. */
  testIsValidation: boolean;
  warnings: string[];
}

export async function splitExamples(
  examples: readonly Example[],
  seed: number,
  /** Hears how many of the different prompts have been drawn. */
  drawn: (done: number, of: number) => void = () => undefined,
): Promise<Split> {
  const groups = await groupByPrompt(examples, seed, drawn);
  if (groups.length < 2) throw new DataProblem(whyOneGroup(examples.length));
  const text = examples[0]?.lesson.kind === 'text';
  const given = examples.every((example) => example.part !== null);
  const split = given ? byColumn(groups, examples) : byRule(groups, examples.length, text);
  const shared = examples.length - groups.length;
  const warnings = [...split.warnings];
  if (!given && shared > 0) {
    warnings.push(
      `${shared} rows ask what another row asks, or what it asked before; such rows stay on one side of the split.`,
    );
  }
  const contrary = text ? 0 : contradictions(groups, examples);
  if (contrary > 0) warnings.push(`${contrary} prompts have different answers in different rows.`);
  if (text)
    warnings.push('Plain text asks nothing, so no answers are scored; the held-out loss is the evidence.');
  const scored = split.parts.test.length;
  if (scored > 0 && scored < 100) warnings.push(testSize(scored));
  return { ...split, warnings };
}

function whyOneGroup(rows: number): string {
  if (rows === 1)
    return 'The file has one usable row, so none can be held out. Add rows: two different prompts at least.';
  return `All ${rows} usable rows ask the same thing, so none can be held out without a leak. Add rows with other prompts.`;
}

function testSize(rows: number): string {
  const points = Math.round(196 * Math.sqrt(0.25 / rows));
  return `The test part has ${rows} rows: a score near 50 % is certain only to ± ${points} points.`;
}

function byRule(groups: Group[], rows: number, text: boolean): Split {
  const cut = text ? withoutTest(cutFor(rows)) : cutFor(rows);
  const sides = fill(groups, cut);
  const warnings: string[] = [];
  const lonely = lonelyLabels(groups);
  if (lonely > 0)
    warnings.push(`${lonely} labels have rows of one prompt only; they are learned but never scored.`);
  rescue(sides, 'validation');
  let reason = `${rows} usable rows are shared out ${cut.rule} by lot; the same seed draws the same lots.`;
  if (cut.test > 0 && !rescue(sides, 'test'))
    reason += ' There are too few different prompts for a test part.';
  const testIsValidation = sides.test.length === 0;
  if (testIsValidation && !text) {
    reason += ' Scores are rough: the same rows choose the best step and measure it.';
  }
  return { parts: members(sides), rule: cut.rule, reason, testIsValidation, warnings };
}

/** Walks each label's groups in hash order and deals them out; what one label could not give, the next one makes up for. */
function fill(groups: readonly Group[], cut: Cut): Record<Part, Group[]> {
  const sides: Record<Part, Group[]> = { train: [], validation: [], test: [] };
  const had = { validation: 0, test: 0 };
  let wantedValidation = 0;
  let wantedTest = 0;
  for (const stratum of strata(groups)) {
    const rows = stratum.reduce((sum, group) => sum + group.members.length, 0);
    wantedValidation = Math.min(wantedValidation + rows * cut.validation, cut.most);
    wantedTest = Math.min(wantedTest + rows * cut.test, cut.most);
    let learned = 0;
    stratum.forEach((group, i) => {
      const half = group.members.length / 2;
      const lastChance = learned === 0 && i === stratum.length - 1;
      let side: Part = 'train';
      if (!lastChance && had.test + half <= wantedTest) side = 'test';
      else if (!lastChance && had.validation + half <= wantedValidation) side = 'validation';
      if (side === 'train') learned++;
      else had[side] += group.members.length;
      sides[side].push(group);
    });
  }
  for (const side of Object.values(sides)) side.sort((a, b) => (a.order < b.order ? -1 : 1));
  return sides;
}

function strata(groups: readonly Group[]): Group[][] {
  const byLabel = new Map<string, Group[]>();
  for (const group of groups) {
    const stratum = byLabel.get(group.label);
    if (stratum === undefined) byLabel.set(group.label, [group]);
    else stratum.push(group);
  }
  return [...byLabel].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stratum]) => stratum);
}

function lonelyLabels(groups: readonly Group[]): number {
  const all = strata(groups);
  return all.length < 2 ? 0 : all.filter((stratum) => stratum.length === 1).length;
}

/** Gives an empty part the smallest group of the training part, which keeps at least one. */
function rescue(sides: Record<Part, Group[]>, part: 'validation' | 'test'): boolean {
  if (sides[part].length > 0) return true;
  if (sides.train.length < 2) return false;
  const smallest = sides.train.reduce((best, group) =>
    group.members.length < best.members.length ? group : best,
  );
  sides.train = sides.train.filter((group) => group !== smallest);
  sides[part] = [smallest];
  return true;
}

function members(sides: Record<Part, Group[]>): Record<Part, number[]> {
  const flat = (side: Group[]): number[] => side.flatMap((group) => group.members);
  return { train: flat(sides.train), validation: flat(sides.validation), test: flat(sides.test) };
}

/** The file's own `split` column decides, also where it leaks; the leak is said. */
function byColumn(groups: Group[], examples: readonly Example[]): Split {
  const parts: Record<Part, number[]> = { train: [], validation: [], test: [] };
  let leaks = 0;
  for (const group of groups) {
    const seen = new Set<Part>();
    for (const i of group.members) {
      const part = examples[i]?.part ?? 'train';
      parts[part].push(i);
      seen.add(part);
    }
    if (seen.has('train') && seen.size > 1) leaks++;
  }
  if (parts.train.length === 0)
    throw new DataProblem('The “split” column has no row for training. Mark some rows “train”.');
  let reason = 'The file’s “split” column decides.';
  if (parts.validation.length === 0 && parts.test.length === 0) {
    throw new DataProblem(
      'The “split” column marks every row “train”, so none is held out. Mark some rows “validation” or leave the column out.',
    );
  }
  if (parts.validation.length === 0) {
    parts.validation = parts.test;
    parts.test = [];
    reason += ' It has no validation rows, so the test rows also choose the checkpoint.';
  } else if (parts.test.length === 0)
    reason += ' It has no test rows, so the validation rows also measure the result.';
  const warnings =
    leaks > 0 ? [`${leaks} prompts stand in training and in a held-out part: the scores will flatter.`] : [];
  return { parts, rule: 'split column', reason, testIsValidation: parts.test.length === 0, warnings };
}
