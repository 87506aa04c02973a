/** Which held-out rows are asked, and how long an answer to them may be. Pure; whoever calls it generates the answers. */
import { LONGEST_ANSWER, type EvalRow } from '../protocol/data';
import type { Tokens } from '../units';

/** Added to what the wanted answer takes and half as much again, so that a wordy answer can be told from one that was cut. */
const SLACK: Tokens = 16;

/**
 * Each prompt once, its first row. Answers are greedy, so that a prompt is answered alike every time: its rows are one question, and a test
 * that counted all of them would be surer than it may be.
 */
export function distinct(rows: readonly EvalRow[]): { rows: EvalRow[]; repeated: number } {
  const byPrompt = new Map<string, EvalRow>();
  for (const row of rows) {
    const key = row.promptIds.join(' ');
    if (!byPrompt.has(key)) byPrompt.set(key, row);
  }
  return { rows: [...byPrompt.values()], repeated: rows.length - byPrompt.size };
}

export interface Asked extends EvalRow {
  /** New tokens at most. */
  limit: Tokens;
}

/** `tokensOf`: tokens that an answer takes, without its end. `left`: rows whose answer is too long, or does not fit behind its prompt. */
export function answerable(
  rows: readonly EvalRow[],
  tokensOf: (answer: string) => Tokens,
  contextLength: Tokens,
): { rows: Asked[]; left: number } {
  const asked = rows.flatMap((row) => {
    const needed = tokensOf(row.reference) + 1;
    const room = contextLength - row.promptIds.length;
    if (needed > LONGEST_ANSWER || needed > room) return [];
    return [{ ...row, limit: Math.min(Math.ceil(1.5 * needed) + SLACK, LONGEST_ANSWER, room) }];
  });
  return { rows: asked, left: rows.length - asked.length };
}

/** Rows that are asked together, in their order: `most` at once, and no more than fit into the context beside the longest of them. */
export function inBatches(rows: readonly Asked[], most: number, contextLength: Tokens): Asked[][] {
  const batches: Asked[][] = [];
  let batch: Asked[] = [];
  for (const row of rows) {
    const together = [...batch, row];
    const longest = Math.max(...together.map(({ promptIds }) => promptIds.length));
    const limit = Math.max(...together.map((one) => one.limit));
    if (batch.length === most || (batch.length > 0 && longest + limit > contextLength)) {
      batches.push(batch);
      batch = [];
    }
    batch.push(row);
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}
