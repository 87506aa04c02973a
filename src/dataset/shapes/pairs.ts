/** Rows of one prompt and one answer: Alpaca, prompt and completion, input and output, UltraChat's neighbours, text. */
import type { Message } from '../../protocol/data';
import type { Lesson } from '../example';
import { field, isRow, kindOf, type Row } from '../record';
import { checkConversation, readTurns, refuse, type Read } from '../turns';
import { asChat } from './messages';
import type { Shape } from './shape';

export const alpacaShape: Shape = {
  name: 'Alpaca (instruction, input, output)',
  matches: (row) => Object.hasOwn(row, 'instruction') && Object.hasOwn(row, 'output'),
  read: (row) => {
    const instruction = requiredText(row, 'instruction');
    if (!instruction.ok) return instruction;
    const output = requiredText(row, 'output');
    if (!output.ok) return output;
    const input = optionalText(row, 'input');
    if (!input.ok) return input;
    const system = optionalText(row, 'system');
    if (!system.ok) return system;
    const turns: Message[] = system.value.trim() === '' ? [] : [{ role: 'system', content: system.value }];
    const history = field(row, 'history') ?? [];
    if (!Array.isArray(history)) return refuse(`“history” is ${kindOf(history)}, not a list.`);
    for (const pair of history) {
      const [question, answer] = Array.isArray(pair) ? (pair as unknown[]) : [];
      if (typeof question !== 'string' || typeof answer !== 'string')
        return refuse('“history” must hold pairs of two texts.');
      turns.push({ role: 'user', content: question }, { role: 'assistant', content: answer, weight: 0 });
    }
    // An empty input leaves no trace: no header, no blank line.
    const content = input.value.trim() === '' ? instruction.value : `${instruction.value}\n\n${input.value}`;
    turns.push({ role: 'user', content }, { role: 'assistant', content: output.value });
    return asChat(checkConversation(turns));
  },
};

export const promptCompletionShape = completionShape('Prompt and completion', 'prompt', 'completion');
export const inputOutputShape = completionShape('Input and output', 'input', 'output');

/** Two texts that are learned as they stand, or two lists of turns, which are a conversation. */
function completionShape(name: string, promptKey: string, completionKey: string): Shape {
  return {
    name,
    matches: (row) => Object.hasOwn(row, promptKey) && Object.hasOwn(row, completionKey),
    read: (row) => {
      const before = field(row, promptKey);
      const after = field(row, completionKey);
      if (Array.isArray(before) && Array.isArray(after)) {
        // What stands in the prompt is context: its answers are read, not learned.
        const context: unknown[] = before.map((turn: unknown) =>
          isRow(turn) ? { ...turn, weight: 0 } : turn,
        );
        return asChat(readTurns([...context, ...(after as unknown[])], { role: 'role', text: 'content' }));
      }
      const prompt = requiredText(row, promptKey);
      if (!prompt.ok) return prompt;
      const completion = requiredText(row, completionKey);
      if (!completion.ok) return completion;
      return { ok: true, value: { kind: 'completion', prompt: prompt.value, completion: completion.value } };
    },
  };
}

export const textShape: Shape = {
  name: 'Plain text',
  matches: (row) =>
    typeof field(row, 'text') === 'string' || (Object.hasOwn(row, 'text') && Object.keys(row).length === 1),
  read: (row): Read<Lesson> => {
    const text = requiredText(row, 'text');
    return text.ok ? { ok: true, value: { kind: 'text', text: text.value } } : text;
  },
};

export function requiredText(row: Row, key: string): Read<string> {
  const value = field(row, key);
  if (typeof value !== 'string') return refuse(`“${key}” is ${kindOf(value)}, not text.`);
  return value.trim() === '' ? refuse(`“${key}” is empty.`) : { ok: true, value };
}

function optionalText(row: Row, key: string): Read<string> {
  const value = field(row, key);
  if (value === undefined || value === null) return { ok: true, value: '' };
  return typeof value === 'string' ? { ok: true, value } : refuse(`“${key}” is ${kindOf(value)}, not text.`);
}
