/** A list of turns, however its file names roles and text, becomes messages that a chat template can print. */
import type { Message, Role } from '../protocol/data';
import { field, isRow, kindOf, type Row } from './record';

export type Read<T> = { ok: true; value: T; notes?: TurnNote[] } | { ok: false; reason: string };
/** What was mended in a row; counted over the file and said once. */
export type TurnNote = 'merged' | 'ends-with-user' | 'no-user';

const ROLES: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['system', 'system'],
  ['developer', 'system'],
  ['user', 'user'],
  ['human', 'user'],
  ['prompter', 'user'],
  ['assistant', 'assistant'],
  ['gpt', 'assistant'],
  ['chatgpt', 'assistant'],
  ['bot', 'assistant'],
  ['model', 'assistant'],
  ['ai', 'assistant'],
  ['tool', 'tool'],
  ['observation', 'tool'],
  ['function_response', 'tool'],
  ['ipython', 'tool'],
]);
/** Fields that hold calls of tools: a row must not lose them silently. */
const CALLS = ['tool_calls', 'function_call'];

export function refuse(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}

export function readTurns(list: unknown, keys: { role: string; text: string }): Read<Message[]> {
  if (!Array.isArray(list)) return refuse(`The turns are ${kindOf(list)}, not a list.`);
  if (list.length === 0) return refuse('The conversation has no turns.');
  const turns: Message[] = [];
  for (const [i, turn] of list.entries()) {
    const read = readTurn(turn, i + 1, keys);
    if (!read.ok) return read;
    turns.push(read.value);
  }
  return checkConversation(turns);
}

function readTurn(turn: unknown, number: number, keys: { role: string; text: string }): Read<Message> {
  if (!isRow(turn)) return refuse(`Turn ${number} is ${kindOf(turn)}, not an object.`);
  const named = field(turn, keys.role);
  if (typeof named !== 'string')
    return refuse(`Turn ${number}: “${keys.role}” is ${kindOf(named)}, not a role.`);
  if (named === 'function_call' || CALLS.some((key) => isPresent(turn, key))) {
    return refuse(`Turn ${number} calls a tool; rows with tool calls cannot be trained.`);
  }
  const role = ROLES.get(named.trim().toLowerCase());
  if (role === undefined) return refuse(`Turn ${number} has the unknown role “${named.slice(0, 30)}”.`);
  const content = readContent(field(turn, keys.text));
  if (!content.ok) return refuse(`Turn ${number} (${role}): “${keys.text}” ${content.reason}`);
  const weight = field(turn, 'weight');
  if (weight !== undefined && weight !== 0 && weight !== 1)
    return refuse(`Turn ${number}: weight must be 0 or 1.`);
  return {
    ok: true,
    value: weight === undefined ? { role, content: content.value } : { role, content: content.value, weight },
  };
}

function isPresent(turn: Row, key: string): boolean {
  const value = field(turn, key);
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** A string, or a list of text parts as OpenAI writes them. */
function readContent(value: unknown): Read<string> {
  if (typeof value === 'string') return { ok: true, value };
  if (!Array.isArray(value)) return refuse(`is ${kindOf(value)}, not text.`);
  const parts: string[] = [];
  for (const part of value) {
    const text = isRow(part) && field(part, 'type') === 'text' ? field(part, 'text') : undefined;
    if (typeof text !== 'string') return refuse('holds a part that is not text.');
    parts.push(text);
  }
  return { ok: true, value: parts.join('') };
}

/** Merges neighbours of one role and checks what every template needs. */
export function checkConversation(turns: Message[]): Read<Message[]> {
  const notes: TurnNote[] = [];
  const merged: Message[] = [];
  for (const [i, turn] of turns.entries()) {
    if (turn.content.trim() === '') {
      if (turn.role === 'system') continue;
      return refuse(
        turn.role === 'assistant'
          ? `Turn ${i + 1}: the answer is empty.`
          : `Turn ${i + 1} (${turn.role}) is empty.`,
      );
    }
    const last = merged.at(-1);
    if (last !== undefined && last.role === turn.role && turn.role !== 'tool') {
      merged[merged.length - 1] = join(last, turn);
      if (!notes.includes('merged')) notes.push('merged');
    } else merged.push(turn);
  }
  while (merged.length > 0 && merged.at(-1)?.role !== 'assistant') {
    merged.pop();
    if (!notes.includes('ends-with-user')) notes.push('ends-with-user');
  }
  if (merged.length === 0)
    return refuse('The conversation has no assistant turn, so there is nothing to learn.');
  const lateSystem = merged.findIndex((turn, i) => turn.role === 'system' && i > 0);
  if (lateSystem > 0)
    return refuse(`Turn ${lateSystem + 1} is a system turn; only the first turn may be one.`);
  if (!merged.some((turn) => turn.role === 'assistant' && turn.weight !== 0))
    return refuse('Every answer has weight 0, so there is nothing to learn.');
  if (!merged.some((turn) => turn.role === 'user' || turn.role === 'tool')) notes.push('no-user');
  return { ok: true, value: merged, notes };
}

/** Two neighbours of one role; an answer that was not to be learned stays so. */
function join(a: Message, b: Message): Message {
  const content = `${a.content}\n\n${b.content}`;
  if (a.weight === 0 || b.weight === 0) return { role: a.role, content, weight: 0 };
  return { role: a.role, content };
}
