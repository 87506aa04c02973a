/**
 * The embedded lessons as rows of one question and one answer. They use the corpus's words and sentences but answer in a
 * form that the corpus never shows, so a base model scores near zero and all of the skill comes from tuning.
 */
import type { Message } from '../../src/protocol/data';
import { Choice } from './choice';
import { conversation } from './sceneTalk';
import { noun, scenes, amount, are, type Scene } from './scene';

export interface Lesson {
  file: string;
  rows: Message[][];
}

const ROWS = 400;
const SORTING_SEED = 302;
const VOICE_SEED = 303;

export function makeLessons(): Lesson[] {
  return [
    { file: 'shop-messages.jsonl', rows: differentRows(new Choice(SORTING_SEED), sortingRow) },
    { file: 'shop-voice.jsonl', rows: differentRows(new Choice(VOICE_SEED), voiceRow) },
  ];
}

const messages: Record<string, ((s: Scene) => string)[]> = {
  order: [
    (s) => `I want to buy ${amount(s)}.`,
    (s) => `Please send me ${amount(s)}.`,
    (s) => `Can I have ${amount(s)} please?`,
    (s) => `I need ${amount(s)} for my house.`,
    (s) => `${s.name} wants to have ${amount(s)} too. Can you send ${them(s)}?`,
    (s) => `Give me ${amount(s)} please.`,
  ],
  return: [
    (s) => `I do not need the ${noun(s)}. Can I bring ${them(s)} back?`,
    (s) => `I want my money back for the ${s.colour} ${noun(s)}.`,
    (s) => `The ${noun(s)} ${are(s)} not for me, so I send ${them(s)} back.`,
    (s) => `Can ${s.name} bring the ${s.colour} ${noun(s)} back to the shop?`,
    (s) => `Please take the ${s.colour} ${noun(s)} back.`,
  ],
  problem: [
    (s) => `The ${s.colour} ${noun(s)} ${are(s)} broken.`,
    (s) => `I am angry, the ${s.colour} ${noun(s)} ${are(s)} late.`,
    (s) => `I got ${amount(s)}, but the colour is not right.`,
    (s) => `${s.name} is sad. The ${noun(s)} ${are(s)} old and not clean.`,
    (s) => `I am tired of this. Where ${are(s)} the ${s.colour} ${noun(s)}?`,
  ],
  question: [
    (s) => `What colour ${are(s)} the ${noun(s)} in the shop?`,
    (s) => `When does the shop in the ${s.place} open? I like ${s.thing.many}.`,
    (s) => `How many ${s.colour} ${s.thing.many} do you have?`,
    (s) => `Do you know if the ${s.colour} ${noun(s)} ${are(s)} new?`,
    (s) => `How big ${are(s)} the ${s.colour} ${noun(s)}?`,
  ],
  thanks: [
    (s) => `I love the ${s.colour} ${noun(s)}.`,
    (s) => `The ${s.colour} ${noun(s)} ${are(s)} very nice. ${s.name} is happy.`,
    (s) => `You are so good! ${s.name} likes the ${s.colour} ${noun(s)}.`,
    (s) => `I am glad to have the ${s.colour} ${noun(s)}.`,
    (s) => `How nice, the ${s.colour} ${noun(s)} came today. I am happy.`,
  ],
};

/** The shop's own words for each kind of message: a short line with a mark in front, never seen in the corpus. */
const voice: Record<string, string> = {
  order: '+ noted, we send it today',
  return: '< yes, bring it back to us',
  problem: '! we are sorry, we make it good',
  question: '? good question, we look it up',
  thanks: '* you make us happy',
};

/** A short message to a shop → the reply in the shop's fixed voice. */
function voiceRow(choice: Choice): Message[] {
  const [question, label] = sortingRow(choice);
  if (!question || !label) throw new Error('A message needs its label.');
  return conversation([[question.content, voice[label.content] ?? '']]);
}

/** A short message to a shop → what the person is after, in one word. */
function sortingRow(choice: Choice): Message[] {
  const [scene] = scenes(choice, 1);
  if (!scene) throw new Error('A message needs 1 scene.');
  const label = choice.of(Object.keys(messages));
  const write = choice.of(messages[label] ?? []);
  return conversation([[write(scene), label]]);
}

function them(scene: Scene): string {
  return scene.count === 1 ? 'it' : 'them';
}

function differentRows(choice: Choice, make: (choice: Choice) => Message[]): Message[][] {
  const rows = new Map<string, Message[]>();
  while (rows.size < ROWS) {
    const row = make(choice);
    rows.set(row[0]?.content ?? '', row);
  }
  return [...rows.values()];
}
