/** Plain prose: short stories in which people and things come back by name. */
import type { Choice } from './choice';
import { amount, are, counted, noun, scenes, tell } from './scene';
import { drinks, feelings, foods, sizes } from './vocabulary';

/** Three to six sentences about two people and what they have. */
export function story(choice: Choice): string {
  const [first, second] = scenes(choice, 2);
  if (!first || !second) throw new Error('A story needs 2 scenes.');
  const them = first.count === 1 ? 'it' : 'them';
  const good = choice.of(feelings.good);
  const bad = choice.of(feelings.bad);
  const food = choice.of(foods).many;
  const drink = choice.of(drinks);
  const size = choice.of(sizes);
  const opening = choice.of([
    tell(choice, first),
    `${first.name} and ${second.name} went to the ${first.place}. ${first.name} had ${amount(first)}.`,
    `One day ${first.name} was in the ${first.place}. There ${first.count === 1 ? 'was' : 'were'} ${counted(first)}.`,
  ]);
  const middle = choice.some(
    [
      `${second.name} came to the ${first.place} and saw the ${noun(first)}.`,
      `The ${noun(first)} ${are(first)} ${size}, and ${first.name} likes ${them}.`,
      `"What do you have?" said ${second.name}. "I have ${amount(first)}," said ${first.name}.`,
      `${second.name} had ${amount(second)} from the ${second.place}.`,
      `They ate ${food} and had some ${drink}. The ${food} were good.`,
      `${first.name} gave ${second.name} the ${first.colour} ${noun(first)}.`,
      `${second.name} was ${bad}. "You can have the ${noun(first)}," said ${first.name}.`,
      `The ${second.thing.one} was in the ${second.place}, so ${second.name} ran to the ${second.place}.`,
      `The ${noun(first)} ${are(first)} ${first.colour}. ${second.name} likes ${first.colour} ${first.thing.many} too.`,
    ],
    choice.whole(1, 3),
  );
  const ending = choice.of([
    `Now ${second.name} is ${good}.`,
    `Then ${first.name} and ${second.name} went home.`,
    `${first.name} was ${good}, and ${second.name} was ${good} too.`,
    `In the night the ${noun(first)} ${first.count === 1 ? 'was' : 'were'} still in the ${first.place}.`,
  ]);
  return [opening, ...middle, ending].join(' ');
}
