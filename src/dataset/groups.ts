/** Rows that ask the same thing form a group, so that no question stands on both sides of a split. */
import { sha256 } from './digest';
import { answerOf, promptOf, type Example } from './example';

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

export async function groupByPrompt(examples: readonly Example[], seed: number): Promise<Group[]> {
  const byPrompt = new Map<string, number[]>();
  examples.forEach((example, i) => {
    const key = normalisePrompt(promptOf(example.lesson));
    const members = byPrompt.get(key);
    if (members === undefined) byPrompt.set(key, [i]);
    else members.push(i);
  });
  const labelled = areLabels(examples);
  const groups = await Promise.all(
    [...byPrompt].map(async ([prompt, members]) => {
      const first = examples[members[0] ?? 0];
      const label = labelled && first !== undefined ? (answerOf(first.lesson) ?? '').trim() : '';
      return { members, order: await sha256(`${seed}\n${prompt}`), label };
    }),
  );
  return groups.sort((a, b) => (a.order < b.order ? -1 : 1));
}

/** True where the answers are short and few: labels, which every part of a split should hold. */
function areLabels(examples: readonly Example[]): boolean {
  const answers = new Set<string>();
  for (const example of examples) {
    const answer = answerOf(example.lesson);
    if (answer === null || answer.length > 40) return false;
    answers.add(answer.trim());
  }
  return answers.size >= 2 && answers.size <= Math.max(2, examples.length / 5);
}

/** Groups whose rows answer one prompt differently. */
export function contradictions(groups: readonly Group[], examples: readonly Example[]): number {
  return groups.filter(({ members }) => {
    const answers = new Set(
      members.map((i) => answerOf(examples[i]?.lesson ?? { kind: 'text', text: '' })?.trim()),
    );
    return answers.size > 1;
  }).length;
}
