/**
 * A scene: who has how many of which things of what colour, and where. Written as a sentence in several ways. The corpus
 * and the lessons tell of the same kind of scenes.
 */
import type { Choice } from './choice';
import { capital, colours, names, numbers, places, things, withArticle, type Noun } from './vocabulary';

export interface Scene {
  name: string;
  count: number;
  colour: string;
  thing: Noun;
  place: string;
}

/** `count` scenes with different people, things, colours and places, so that a question has one answer. */
export function scenes(choice: Choice, count: number): Scene[] {
  const who = choice.some(names, count);
  const what = choice.some(things, count);
  const look = choice.some(colours, count);
  const where = choice.some(places, count);
  return who.map((name, index) => ({
    name,
    count: choice.whole(1, 9),
    colour: look[index] ?? 'red',
    thing: what[index] ?? things[0] ?? { one: 'kite', many: 'kites' },
    place: where[index] ?? 'garden',
  }));
}

/** "kites" or "kite" */
export function noun(scene: Scene): string {
  return scene.count === 1 ? scene.thing.one : scene.thing.many;
}

/** "three red kites", "one red kite" */
export function counted(scene: Scene): string {
  return `${numbers[scene.count] ?? ''} ${scene.colour} ${noun(scene)}`;
}

/** "three red kites", "a red kite" */
export function amount(scene: Scene): string {
  return scene.count === 1 ? withArticle(`${scene.colour} ${scene.thing.one}`) : counted(scene);
}

export function are(scene: Scene): string {
  return scene.count === 1 ? 'is' : 'are';
}

export function they(scene: Scene): string {
  return scene.count === 1 ? 'it' : 'they';
}

/** Ways to tell a scene in which all five facts are said, the number as a word. */
const tellings: ((scene: Scene) => string)[] = [
  (s) => `${s.name} has ${counted(s)} in the ${s.place}.`,
  (s) => `${s.name} found ${counted(s)} in the ${s.place}.`,
  (s) => `${s.name} saw ${counted(s)} in the ${s.place}.`,
  (s) => `${s.name} lost ${counted(s)} in the ${s.place}.`,
  (s) => `In the ${s.place}, ${s.name} has ${counted(s)}.`,
  (s) => `In the ${s.place}, ${s.name} found ${counted(s)}.`,
  (s) => `There ${are(s)} ${counted(s)} in the ${s.place} for ${s.name}.`,
  (s) =>
    `${capital(counted(s))} ${are(s)} in the ${s.place}. ${s.count === 1 ? 'It is' : 'They are'} for ${s.name}.`,
  (s) => `${s.name} went to the ${s.place} and took ${counted(s)}.`,
  (s) => `Today ${s.name} put ${counted(s)} in the ${s.place}.`,
];

export function tell(choice: Choice, scene: Scene): string {
  return choice.of(tellings)(scene);
}
