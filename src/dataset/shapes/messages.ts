/** Conversations: OpenAI and ChatML messages, ShareGPT, UltraChat. */
import type { Message } from '../../protocol/data';
import { field, kindOf, type Row } from '../record';
import { parseJson } from '../jsonText';
import { checkConversation, readTurns, refuse, type Read } from '../turns';
import type { Lesson } from '../example';
import type { Shape } from './shape';

export const messagesShape: Shape = {
  name: 'Chat messages (OpenAI, ChatML)',
  matches: (row) => Object.hasOwn(row, 'messages'),
  read: (row) =>
    refuseTools(row) ?? asChat(readTurns(listIn(row, 'messages'), { role: 'role', text: 'content' })),
};

export const shareGptShape: Shape = {
  name: 'ShareGPT conversations',
  matches: (row) => Object.hasOwn(row, 'conversations'),
  read: (row) => {
    const refusal = refuseTools(row);
    if (refusal !== null) return refusal;
    const list = listIn(row, 'conversations');
    const first: unknown = Array.isArray(list) ? list[0] : undefined;
    const openAi = typeof first === 'object' && first !== null && 'role' in first;
    const system = field(row, 'system');
    if (system !== undefined && system !== null && typeof system !== 'string')
      return refuse(`“system” is ${kindOf(system)}, not text.`);
    const keys = openAi ? { role: 'role', text: 'content' } : { role: 'from', text: 'value' };
    const turns = readTurns(list, keys);
    if (!turns.ok || typeof system !== 'string' || system.trim() === '') return asChat(turns);
    if (turns.value[0]?.role === 'system')
      return refuse('The row has a “system” field and a system turn; keep one.');
    return asChat({ ...turns, value: [{ role: 'system', content: system }, ...turns.value] });
  },
};

export const ultraChatShape: Shape = {
  name: 'UltraChat (alternating turns)',
  matches: (row) => {
    const data = field(row, 'data');
    return Array.isArray(data) && data.length > 0 && data.every((turn) => typeof turn === 'string');
  },
  read: (row) => {
    const data = field(row, 'data');
    if (!Array.isArray(data)) return refuse(`“data” is ${kindOf(data)}, not a list of turns.`);
    const turns: Message[] = [];
    for (const [i, content] of data.entries()) {
      if (typeof content !== 'string') return refuse(`Turn ${i + 1} is ${kindOf(content)}, not text.`);
      turns.push({ role: i % 2 === 0 ? 'user' : 'assistant', content });
    }
    return asChat(checkConversation(turns));
  },
};

export function asChat(read: Read<Message[]>): Read<Lesson> {
  return read.ok ? { ...read, value: { kind: 'chat', messages: read.value } } : read;
}

/** A table's cell may hold the list as JSON text. */
function listIn(row: Row, key: string): unknown {
  const value = field(row, key);
  if (typeof value !== 'string' || !value.trimStart().startsWith('[')) return value;
  const parsed = parseJson(value);
  return parsed.ok ? parsed.value : value;
}

/** A conversation that defines tools reads differently without them; dropping them unseen would be wrong. */
function refuseTools(row: Row): { ok: false; reason: string } | null {
  const tools = field(row, 'tools') ?? field(row, 'functions');
  const none =
    tools === undefined || tools === null || (typeof tools === 'string' && /^\s*(\[\s*\])?\s*$/.test(tools));
  if (none || (Array.isArray(tools) && tools.length === 0)) return null;
  return refuse('The row defines tools; rows with tool calls cannot be trained.');
}
