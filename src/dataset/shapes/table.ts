/** Any other table: its column names say which is the question, which the answer and which the system text. */
import type { Message } from '../../protocol/data';
import { stringField } from '../record';
import { checkConversation } from '../turns';
import { asChat } from './messages';
import { requiredText } from './pairs';
import type { Shape } from './shape';

type Column = 'user' | 'assistant' | 'system';

/** Column names as people write them, in lower case without `_`, `-` and blanks. */
const HINTS: Record<Column, string[]> = {
  assistant: words(
    'assistant answer output response completion reply result target expected solution explanation recommendation summary translation generation message2 ' +
      'antwort respuesta réponse risposta resposta antwoord svar odpowiedź ответ 答案 回答 답변',
  ),
  user: words(
    'user question instruction prompt query input request problem exercise task snippet article document sourcetext message1 ' +
      'frage pregunta domanda pergunta vraag fråga pytanie вопрос 问题 質問 질문',
  ),
  system: words('system persona role context description template systemprompt'),
};
/** Short labels: the answer of a table that has no other, with `text` as the question. */
const LABELS = words('labeltext label category intent class sentiment topic emotion tag');
const LABELLED = words('text sentence utterance review comment');

export type Mapping = Record<'user' | 'assistant', string> & {
  system: string | null;
  /** No name told them apart: the first of two columns asks, or the one that is left takes the part that is left. */
  guessed: boolean;
};

/** `table`: they are the header of a table, where two columns are a question and an answer by their order alone. */
export function mapColumns(
  columns: string[],
  table: boolean,
): { ok: true; mapping: Mapping } | { ok: false; reason: string } {
  const named = {
    assistant: choose(columns, HINTS.assistant) ?? choose(columns, LABELS),
    user: choose(columns, HINTS.user) ?? choose(columns, LABELLED),
  };
  const system = choose(columns, HINTS.system);
  const guess = table && system === null ? ofTwo(columns, named) : null;
  const { user, assistant } = guess ?? named;
  const listed = columns.map((column) => `“${column.slice(0, 40)}”`).join(', ');
  for (const [role, found] of [
    ['question', user],
    ['answer', assistant],
    ['system text', system],
  ] as const) {
    if (found !== null && found.length > 1) {
      return {
        ok: false,
        reason: `Several columns could be the ${role}: ${found.map((name) => `“${name}”`).join(', ')}. Rename or remove all but one.`,
      };
    }
  }
  if (user === null || assistant === null) {
    const missing =
      user === null && assistant === null
        ? 'a question or an answer'
        : user === null
          ? 'a question'
          : 'an answer';
    return {
      ok: false,
      reason: `No column could be recognised as ${missing}. The file has ${listed}. Name two of them “question” and “answer”.`,
    };
  }
  return {
    ok: true,
    mapping: {
      ...{ user: user[0] ?? '', assistant: assistant[0] ?? '', system: system?.[0] ?? null },
      guessed: guess !== null,
    },
  };
}

type Named = Record<'user' | 'assistant', string[] | null>;

/** Null where there are not two columns, where their names tell, or where they are no names: a file without a header begins with a row. */
function ofTwo(columns: string[], { user, assistant }: Named): Named | null {
  const [first, second] = columns;
  if (first === undefined || second === undefined || columns.length > 2) return null;
  if ((user !== null && assistant !== null) || !columns.every(isName)) return null;
  if ((user ?? assistant ?? []).length > 1) return null;
  const other = (than: string) => [than === first ? second : first];
  if (user?.[0] !== undefined) return { user, assistant: other(user[0]) };
  if (assistant?.[0] !== undefined) return { user: other(assistant[0]), assistant };
  return { user: [first], assistant: [second] };
}

/** A word or three that a person wrote: columns without a name, row numbers often, are called “column 1” by the reader. */
export function isName(column: string): boolean {
  const text = column.trim();
  if (/^column \d+$/.test(text) || /[.?!:;,]/.test(text)) return false;
  return /^\p{L}/u.test(text) && text.length <= 30 && text.split(/\s+/).length <= 3;
}

export function tableShape({ user, assistant, system, guessed }: Mapping): Shape {
  const pair = user.toLowerCase() === 'question' && assistant.toLowerCase() === 'answer' && system === null;
  const also = system === null ? '' : `, “${system}” as the system text`;
  return {
    ...(guessed && {
      note: `The file has two columns: “${user}” was taken for the question and “${assistant}” for the answer. If that is wrong, name them “question” and “answer”.`,
    }),
    name: pair ? 'Question and answer' : `Table (“${user}” asks, “${assistant}” answers${also})`,
    matches: (row) => Object.hasOwn(row, user) && Object.hasOwn(row, assistant),
    read: (row) => {
      const question = requiredText(row, user);
      if (!question.ok) return question;
      const answer = requiredText(row, assistant);
      if (!answer.ok) return answer;
      const before = system === null ? '' : (stringField(row, system) ?? '');
      const turns: Message[] = before.trim() === '' ? [] : [{ role: 'system', content: before }];
      turns.push({ role: 'user', content: question.value }, { role: 'assistant', content: answer.value });
      return asChat(checkConversation(turns));
    },
  };
}

/** True where the columns are a text and its label: such a table is a lesson in sorting, not plain text. */
export function isLabelledText(columns: string[]): boolean {
  return columns.some((column) => plain(column) === 'text') && (choose(columns, LABELS)?.length ?? 0) === 1;
}

/** Columns whose whole name is a hint; without one, those whose name ends in a hint ("Best Answer"). */
function choose(columns: string[], hints: string[]): string[] | null {
  const exact = columns.filter((column) => hints.includes(plain(column)));
  if (exact.length > 0) return exact;
  const ending = columns.filter((column) => {
    const last =
      column
        .trim()
        .toLowerCase()
        .split(/[\s_-]+/)
        .at(-1) ?? '';
    return hints.includes(last);
  });
  return ending.length > 0 ? ending : null;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_\-\s]/g, '');
}

function words(list: string): string[] {
  return list.split(' ');
}
