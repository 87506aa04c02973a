/** Rows that ask the same thing form a group, so that no question stands on both sides of a split. */
import { sha256 } from './digest';
import { answerOf, promptOf, promptsOf, type Example } from './example';

/** Hashes asked for at once: enough to keep them coming, few enough that how far they are can be told. */
const TOGETHER = 1000;

export interface Group {
  /** Indices into the examples. */
  members: number[];
  /** Hex hash of seed and prompt; the order of groups, whatever the order of the file. */
  order: string;
  /** The stratum: its first row's answer where answers are labels, else empty. */
  label: string;
}

/** NFKC, lower case, blanks collapsed: what makes two prompts the same. */
export function normalisePrompt(prompt: string): string {
  return prompt.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
}

/**
 * A row whose whole prompt is what stands before an earlier answer of another row goes with that row, which learns its answer. Rows that
 * only begin alike do not: what is scored, the last answer, is another one.
 */
export async function groupByPrompt(
  examples: readonly Example[],
  seed: number,
  drawn: (done: number, of: number) => void = () => undefined,
): Promise<Group[]> {
  const prompts = examples.map(({ lesson }) => promptsOf(lesson).map(normalisePrompt));
  const rootOf = joined(prompts);
  const byRoot = new Map<string, number[]>();
  prompts.forEach((own, i) => {
    const root = rootOf(own.at(-1) ?? '');
    const members = byRoot.get(root);
    if (members === undefined) byRoot.set(root, [i]);
    else members.push(i);
  });
  const labelled = areLabels(examples, byRoot.size);
  const roots = [...byRoot];
  const groups: Group[] = [];
  for (let at = 0; at < roots.length; at += TOGETHER) {
    const some = roots.slice(at, at + TOGETHER).map(async ([root, members]) => {
      const first = examples[members[0] ?? 0];
      const label = labelled && first !== undefined ? (answerOf(first.lesson) ?? '').trim() : '';
      return { members, order: await sha256(`${seed}\n${root}`), label };
    });
    groups.push(...(await Promise.all(some)));
    drawn(groups.length, roots.length);
  }
  return groups.sort((a, b) => (a.order < b.order ? -1 : 1));
}

/** → for a row's whole prompt the first, in the order of letters, of the prompts that it goes with. */
function joined(prompts: readonly string[][]): (whole: string) => string {
  const parents = new Map(prompts.map((own) => [own.at(-1) ?? '', own.at(-1) ?? '']));
  const rootOf = (prompt: string): string => {
    let root = prompt;
    for (let next = parents.get(root); next !== undefined && next !== root; next = parents.get(root))
      root = next;
    parents.set(prompt, root);
    return root;
  };
  for (const own of prompts)
    for (const earlier of own.slice(0, -1)) {
      if (!parents.has(earlier)) continue;
      const [first = '', second = ''] = [rootOf(earlier), rootOf(own.at(-1) ?? '')].sort();
      parents.set(second, first);
    }
  return rootOf;
}

/** True where the answers are short and few beside the groups: labels, which every part of a split should hold. */
function areLabels(examples: readonly Example[], groups: number): boolean {
  const answers = new Set<string>();
  for (const example of examples) {
    const answer = answerOf(example.lesson);
    if (answer === null || answer.length > 40) return false;
    answers.add(answer.trim());
  }
  return answers.size >= 2 && answers.size <= Math.max(2, groups / 5);
}

/** Prompts that rows of a group answer differently. */
export function contradictions(groups: readonly Group[], examples: readonly Example[]): number {
  let count = 0;
  for (const { members } of groups) {
    const answers = new Map<string, Set<string>>();
    for (const i of members) {
      const lesson = examples[i]?.lesson ?? { kind: 'text', text: '' };
      const prompt = normalisePrompt(promptOf(lesson));
      answers.set(prompt, (answers.get(prompt) ?? new Set()).add((answerOf(lesson) ?? '').trim()));
    }
    count += [...answers.values()].filter(({ size }) => size > 1).length;
  }
  return count;
}
