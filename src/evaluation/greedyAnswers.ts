/** Answers of a model to several prompts at once, greedily. */
import type { ChatFormat } from '../chat/format';
import { generate } from '../model/generate';
import type { Runnable } from '../model/forward';
import type { EvalRow } from '../protocol/data';
import type { Tokens } from '../units';

/** `cut`: it had not ended when it reached the limit. */
export interface GreedyAnswer {
  text: string;
  cut: boolean;
}

/** In the order of `rows`, each of at most `maxTokens`. */
export async function greedyAnswers(
  model: Runnable,
  { tokenizer, stopIds }: Pick<ChatFormat, 'tokenizer' | 'stopIds'>,
  rows: readonly Pick<EvalRow, 'promptIds'>[],
  maxTokens: Tokens,
): Promise<GreedyAnswer[]> {
  const answers = rows.map(() => ({ ids: [] as number[], ended: false }));
  const prompts = rows.map(({ promptIds }) => promptIds);
  const greedy = { temperature: 0, topP: 1, random: () => 0, stopIds, maxTokens };
  for await (const step of generate(model, prompts, greedy))
    step.forEach((id, index) => {
      const answer = answers[index];
      if (!answer || id < 0) return;
      if (stopIds.includes(id)) answer.ended = true;
      else answer.ids.push(id);
    });
  return answers.map(({ ids, ended }) => ({ text: tokenizer.decodeAnswer(ids), cut: !ended }));
}
