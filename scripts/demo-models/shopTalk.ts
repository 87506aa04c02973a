/** Talk in a shop: people ask, order, bring back, complain and thank; the model answers in sentences, never with a label. */
import type { Message } from '../../src/protocol/data';
import type { Choice } from './choice';
import { amount, are, noun, scenes, they, type Scene } from './scene';
import { conversation } from './sceneTalk';

const talks: ((s: Scene) => [string, string])[] = [
  (s) => [`I want to buy ${amount(s)}.`, `Yes, you can have ${amount(s)}.`],
  (s) => [`Please send me ${amount(s)}.`, `I will send you ${amount(s)} today.`],
  (s) => [`Can I have ${amount(s)} please?`, `Yes, here ${are(s)} the ${noun(s)}.`],
  (s) => [`The ${noun(s)} ${are(s)} broken.`, `I am sorry about the ${noun(s)}.`],
  (s) => [`I am angry, the ${noun(s)} ${are(s)} late.`, `I am sorry that the ${noun(s)} ${are(s)} late.`],
  (s) => [`There is a problem with the ${noun(s)}.`, `I am sorry. What is the problem with the ${noun(s)}?`],
  (s) => [
    `I do not need the ${noun(s)}. Can I bring ${s.count === 1 ? 'it' : 'them'} back?`,
    `Yes, bring the ${noun(s)} back to the shop.`,
  ],
  (s) => [`I want my money back for the ${noun(s)}.`, `You can have your money back for the ${noun(s)}.`],
  (s) => [`I have a question about the ${noun(s)}.`, `What do you want to know about the ${noun(s)}?`],
  (s) => [
    `What colour ${are(s)} the ${noun(s)} in the shop?`,
    `The ${noun(s)} in the shop ${are(s)} ${s.colour}.`,
  ],
  (s) => [`When does the shop in the ${s.place} open?`, `The shop in the ${s.place} opens in the morning.`],
  (s) => [`Thank you for the ${noun(s)}.`, `I am glad that you like the ${noun(s)}.`],
  (s) => [
    `Many thanks, the ${noun(s)} ${are(s)} very nice.`,
    `I am glad that the ${noun(s)} ${are(s)} nice.`,
  ],
  (s) => [
    `I love the ${s.colour} ${noun(s)}, thank you.`,
    `It is good that ${they(s)} ${are(s)} right for you.`,
  ],
  (s) => [`I got my order of ${amount(s)}.`, `It is good that you got the ${noun(s)}.`],
  (s) => [`I return the ${noun(s)} to ${s.name}.`, `${s.name} will be glad to have the ${noun(s)} back.`],
];

export function shop(choice: Choice): Message[] {
  const [scene] = scenes(choice, 1);
  return scene ? conversation([choice.of(talks)(scene)]) : [];
}
