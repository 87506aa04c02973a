/** Conversations about a told scene: every answer is copied out of the question, as a sentence and never as a record. */
import type { Message } from '../../src/protocol/data';
import type { Choice } from './choice';
import { amount, are, counted, noun, scenes, tell, they, type Scene } from './scene';
import { capital, colours, places } from './vocabulary';

type Turn = [question: string, answer: string];

const questions: ((s: Scene) => Turn)[] = [
  (s) => [`Who has the ${noun(s)}?`, `${s.name} has the ${noun(s)}.`],
  (s) => [
    `Whose ${noun(s)} ${are(s)} in the ${s.place}?`,
    `The ${noun(s)} in the ${s.place} ${are(s)} for ${s.name}.`,
  ],
  (s) => [`What does ${s.name} have?`, `${s.name} has ${amount(s)}.`],
  (s) => [`What is in the ${s.place}?`, `There ${are(s)} ${amount(s)} in the ${s.place}.`],
  (s) => [`What colour ${are(s)} the ${noun(s)}?`, `The ${noun(s)} ${are(s)} ${s.colour}.`],
  (s) => [`How many ${s.thing.many} does ${s.name} have?`, `${s.name} has ${counted(s)}.`],
  (s) => [`How many ${s.thing.many} are there?`, `There ${are(s)} ${counted(s)}.`],
  (s) => [`Where ${are(s)} the ${noun(s)}?`, `The ${noun(s)} ${are(s)} in the ${s.place}.`],
  (s) => [`Where did ${s.name} go?`, `${s.name} went to the ${s.place}.`],
  (s) => [
    `What do we know about the ${noun(s)}?`,
    `We know that ${s.name} has ${counted(s)}, and ${they(s)} ${are(s)} in the ${s.place}.`,
  ],
];

/** These name nothing, so they are clear only about a single scene. */
const nameless: ((s: Scene) => Turn)[] = [
  (s) => ['One word please: who is it?', s.name],
  (s) => [`One word please: what colour?`, s.colour],
  (s) => [`One word please: where?`, s.place],
  (s) => [`One word please: what is it?`, noun(s)],
  (s) => [`How many? Use a digit.`, String(s.count)],
];

/** A short text of one to three scenes and one to three questions about it. */
export function askAboutScenes(choice: Choice): Message[] {
  const told = scenes(choice, choice.of([1, 1, 1, 1, 1, 2, 2, 2, 3]));
  const text = told.map((scene) => tell(choice, scene)).join(' ');
  const clear = told.length === 1 ? [...questions, ...nameless] : questions;
  const turns = choice
    .some(clear, choice.of([1, 1, 1, 2, 2, 2, 3, 3]))
    .map((question) => question(choice.of(told)));
  return conversation(
    turns.map(([question, answer], index) => [index === 0 ? `${text} ${question}` : question, answer]),
  );
}

const replies: ((s: Scene) => string)[] = [
  (s) => `So ${s.name} has ${counted(s)} in the ${s.place}.`,
  (s) => `I see, ${s.name} has ${counted(s)}.`,
  (s) => `${capital(counted(s))}! ${s.name} must be happy.`,
  (s) => `That is nice. ${s.name} has ${amount(s)} in the ${s.place}.`,
  (s) =>
    `Yes, the ${s.colour} ${noun(s)} ${are(s)} in the ${s.place}, and ${they(s)} ${are(s)} for ${s.name}.`,
  (s) => `In the ${s.place}? Then ${s.name} can show me the ${noun(s)}.`,
  (s) => `I like ${s.colour} ${s.thing.many}. How did ${s.name} find ${s.count === 1 ? 'it' : 'them'}?`,
];

/** The person says something, the model says what it understood. */
export function acknowledge(choice: Choice): Message[] {
  const [scene] = scenes(choice, 1);
  return scene ? conversation([[tell(choice, scene), choice.of(replies)(scene)]]) : [];
}

/** The same scene in other words. */
export function tellAgain(choice: Choice): Message[] {
  const [scene] = scenes(choice, 1);
  if (!scene) return [];
  const request = choice.of([
    'Say it in other words.',
    'Tell me that again.',
    'Can you say it in another way?',
  ]);
  const answer = choice.of([
    `The ${noun(scene)} in the ${scene.place} ${are(scene)} ${scene.colour}, and ${scene.name} has ${counted(scene)}.`,
    `In the ${scene.place} there ${are(scene)} ${counted(scene)}. ${scene.name} has ${scene.count === 1 ? 'it' : 'them'}.`,
    `${scene.name} has ${counted(scene)}. The ${noun(scene)} ${are(scene)} in the ${scene.place}.`,
  ]);
  return conversation([[`${tell(choice, scene)} ${request}`, answer]]);
}

/** Yes and no, with the right fact in the answer. */
export function yesOrNo(choice: Choice): Message[] {
  const [scene] = scenes(choice, 1);
  if (!scene) return [];
  const otherColour = choice.of(colours.filter((colour) => colour !== scene.colour));
  const otherPlace = choice.of(places.filter((place) => place !== scene.place));
  const subject = `${are(scene)} the ${noun(scene)}`;
  const turn: Turn = choice.of([
    [`${capital(subject)} ${scene.colour}?`, `Yes, the ${noun(scene)} ${are(scene)} ${scene.colour}.`],
    [`${capital(subject)} ${otherColour}?`, `No, the ${noun(scene)} ${are(scene)} ${scene.colour}.`],
    [
      `${capital(subject)} in the ${scene.place}?`,
      `Yes, the ${noun(scene)} ${are(scene)} in the ${scene.place}.`,
    ],
    [
      `${capital(subject)} in the ${otherPlace}?`,
      `No, the ${noun(scene)} ${are(scene)} in the ${scene.place}.`,
    ],
  ]);
  return conversation([[`${tell(choice, scene)} ${turn[0]}`, turn[1]]]);
}

/** One person gives another something. */
export function gift(choice: Choice): Message[] {
  const [giver, taker] = scenes(choice, 2);
  if (!giver || !taker) return [];
  const what = amount(giver);
  const story = choice.of([
    `${giver.name} gave ${taker.name} ${what}.`,
    `${giver.name} had ${what} and gave ${giver.count === 1 ? 'it' : 'them'} to ${taker.name}.`,
  ]);
  const turn: Turn = choice.of([
    [`Who has the ${noun(giver)} now?`, `${taker.name} has the ${noun(giver)} now.`],
    [`Who gave the ${noun(giver)}?`, `${giver.name} gave the ${noun(giver)} to ${taker.name}.`],
    [`What did ${giver.name} give?`, `${giver.name} gave ${what} to ${taker.name}.`],
    [`What does ${taker.name} have now?`, `${taker.name} has ${what} from ${giver.name}.`],
  ]);
  return conversation([[`${story} ${turn[0]}`, turn[1]]]);
}

export function conversation(turns: Turn[]): Message[] {
  return turns.flatMap(([question, answer]): Message[] => [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ]);
}
