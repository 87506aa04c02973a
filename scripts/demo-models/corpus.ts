/**
 * The pre-training corpus: conversations and stories without end, the same ones for the same seed. Rich in answers that
 * are copied from the question, and free of the forms that the lessons teach.
 */
import type { Message } from '../../src/protocol/data';
import { Choice } from './choice';
import { acknowledge, askAboutScenes, gift, tellAgain, yesOrNo } from './sceneTalk';
import { shop } from './shopTalk';
import { story } from './stories';
import { feeling, greeting, knowledge, lookUp, pickOut, repeat, sums } from './wordTalk';

export type Document = { kind: 'story'; text: string } | { kind: 'talk'; messages: Message[] };

export const CORPUS_SEED = 20_26;

const talks: [weight: number, make: (choice: Choice) => Message[]][] = [
  [30, askAboutScenes],
  [8, acknowledge],
  [5, tellAgain],
  [5, yesOrNo],
  [6, gift],
  [14, repeat],
  [8, lookUp],
  [3, pickOut],
  [3, sums],
  [3, knowledge],
  [3, greeting],
  [2, feeling],
  [6, shop],
];
const STORIES = 0.12;

export function* documents(seed: number = CORPUS_SEED): Generator<Document, never> {
  const choice = new Choice(seed);
  for (;;) {
    yield choice.chance(STORIES)
      ? { kind: 'story', text: story(choice) }
      : { kind: 'talk', messages: choice.weighted(talks)(choice) };
  }
}

/** The first `count` documents. */
export function firstDocuments(count: number, seed: number = CORPUS_SEED): Document[] {
  const taken: Document[] = [];
  for (const document of documents(seed)) {
    taken.push(document);
    if (taken.length === count) break;
  }
  return taken;
}

/** All that is written in a document, without the marks of a chat. */
export function plainText(document: Document): string[] {
  return document.kind === 'story' ? [document.text] : document.messages.map((message) => message.content);
}
