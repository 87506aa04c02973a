/** Conversations that copy and look up words: repeating, lists, small sums, what everybody knows, greetings, feelings. */
import type { Message } from '../../src/protocol/data';
import type { Choice } from './choice';
import { conversation } from './sceneTalk';
import {
  animals,
  capital,
  colours,
  drinks,
  feelings,
  foods,
  knownColours,
  listWords,
  names,
  numbers,
  objects,
  opposites,
  withArticle,
} from './vocabulary';

/** Say the same words again, with the same marks between them: nothing but copying. */
export function repeat(choice: Choice): Message[] {
  const words = choice.some(listWords, choice.whole(2, 8));
  const mark = choice.weighted([
    [4, ', '],
    [3, ' '],
    [1, ' / '],
    [1, ' | '],
    [1, '; '],
    [1, ' - '],
    [1, ' = '],
  ]);
  const text = words.join(mark);
  const request = choice.of(['Repeat:', 'Say this again:', 'Copy this:', 'Please say:']);
  return conversation([[`${request} ${text}`, text]]);
}

/** Find a word in a list by its neighbour or its place. */
export function lookUp(choice: Choice): Message[] {
  const words = choice.some(listWords, choice.whole(3, 7));
  const at = choice.whole(0, words.length - 2);
  const before = words[at] ?? '';
  const after = words[at + 1] ?? '';
  const [question, answer] = choice.of([
    [`Which word comes after ${before}?`, after],
    [`Which word comes before ${after}?`, before],
    ['Which word is the first?', words[0] ?? ''],
    ['Which word is the last?', words.at(-1) ?? ''],
  ] as const);
  return conversation([[`${words.join(', ')}. ${question}`, answer]]);
}

/** Pick the words of one kind out of a mixed list. */
export function pickOut(choice: Choice): Message[] {
  const kinds = {
    colours,
    names,
    animals: animals.map((noun) => noun.one),
    foods: foods.map((noun) => noun.one),
  };
  const [kind, other] = choice.some(Object.keys(kinds) as (keyof typeof kinds)[], 2);
  if (!kind || !other) return [];
  const wanted = choice.some(kinds[kind], choice.whole(1, 3));
  const mixed = choice.shuffled([...wanted, ...choice.some(kinds[other], choice.whole(1, 3))]);
  const found = mixed.filter((word) => wanted.includes(word));
  return conversation([[`${mixed.join(', ')}. Which of these are ${kind}?`, found.join(', ')]]);
}

export function sums(choice: Choice): Message[] {
  const left = choice.whole(0, 5);
  const right = choice.whole(0, 5);
  const say = (value: number) => numbers[value] ?? String(value);
  const one = choice.whole(0, 9);
  const [question, answer] = choice.of([
    [
      `What is ${say(left)} and ${say(right)}?`,
      `${capital(say(left))} and ${say(right)} is ${say(left + right)}.`,
    ],
    [`What is ${left} + ${right}?`, `${left} + ${right} = ${left + right}`],
    [`Which number comes after ${say(one)}?`, `After ${say(one)} comes ${say(one + 1)}.`],
    [`Write ${say(one)} as a digit.`, String(one)],
    [`Write ${one} as a word.`, say(one)],
  ] as const);
  return conversation([[question, answer]]);
}

export function knowledge(choice: Choice): Message[] {
  const animal = choice.of(animals).one;
  const food = choice.of(foods).one;
  const object = choice.of(objects).one;
  const [known, colour] = choice.of(Object.entries(knownColours));
  const [left, right] = choice.of(opposites);
  const [question, answer] = choice.of([
    [`What is ${withArticle(animal)}?`, `${capital(withArticle(animal))} is an animal.`],
    [`What is ${withArticle(food)}?`, `${capital(withArticle(food))} is a food.`],
    [`What is ${withArticle(object)}?`, `${capital(withArticle(object))} is a thing.`],
    [`Is ${withArticle(animal)} a food?`, `No, ${withArticle(animal)} is an animal.`],
    [`Can I eat ${withArticle(object)}?`, `No, you can not eat ${withArticle(object)}.`],
    [`Can I eat ${withArticle(food)}?`, `Yes, you can eat ${withArticle(food)}.`],
    [`What colour is ${known}?`, `${capital(known)} is ${colour}.`],
    [`What is not ${left}?`, `What is not ${left} is ${right}.`],
    [`Can I drink ${choice.of(drinks)}?`, 'Yes, you can drink that.'],
  ] as const);
  return conversation([[question, answer]]);
}

export function greeting(choice: Choice): Message[] {
  const [name, other] = choice.some(names, 2);
  if (!name || !other) return [];
  return choice.of([
    conversation([[`Hello, I am ${name}.`, `Hello ${name}, how are you?`]]),
    conversation([
      [`Hello, I am ${name}.`, `Hello ${name}, how are you?`],
      ['I am well. What is my name?', `Your name is ${name}.`],
    ]),
    conversation([
      [`My name is ${name} and this is ${other}.`, `Hello ${name} and ${other}, it is good to see you.`],
    ]),
    conversation([[`Good day. Do you know ${name}?`, `Yes, I know ${name}.`]]),
    conversation([['Hello!', 'Hello! How can I help you?']]),
    conversation([['Good night.', 'Good night, sleep well.']]),
  ]);
}

export function feeling(choice: Choice): Message[] {
  const name = choice.of(names);
  const good = choice.chance(0.5);
  const word = choice.of(good ? feelings.good : feelings.bad);
  const reply = good
    ? choice.of([`That is nice. I am glad that ${name} is ${word}.`, `It is good that ${name} is ${word}.`])
    : choice.of([`I am sorry that ${name} is ${word}.`, `Why is ${name} ${word}? Can I help?`]);
  return choice.of([
    conversation([[`${name} is ${word} today.`, reply]]),
    conversation([[`${name} is ${word} today. How is ${name}?`, `${name} is ${word}.`]]),
    conversation([
      [`Today I am ${word}.`, good ? `I am glad that you are ${word}.` : `I am sorry that you are ${word}.`],
    ]),
  ]);
}
