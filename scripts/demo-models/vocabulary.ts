/** The words the demo models know. Few and plain, so that a model of a million parameters can know them well. */

export interface Noun {
  one: string;
  many: string;
}

export const names = list(
  'Mia Tom Ben Anna Leo Lily Sam Eva Max Nina Jack Ruby Omar Zoe Finn Ella Hugo Rosa Adam Kim Noah Ivy Paul Maya',
);
export const colours = list('red blue green yellow black white pink brown grey purple');
export const places = list(
  'garden park kitchen house school shop forest field barn street market room yard village town library tent cave',
);
export const animals = nouns('cat dog bird horse cow duck hen pig goat fox bear rabbit frog bee lion');
export const objects = nouns(
  'kite ball book cup hat coat bag box lamp pen key drum boat bell chair table shoe sock ring coin map doll flag rope ' +
    'brush clock spoon plate stone flower basket',
);
export const foods = nouns('apple pear plum lemon cake egg potato nut cookie carrot');
export const drinks = list('milk tea water juice');
export const feelings = { good: list('happy proud calm glad'), bad: list('sad angry tired hungry scared') };
export const sizes = list('big small old new clean soft');
export const numbers = list('zero one two three four five six seven eight nine ten');
/** What everybody knows the colour of. */
export const knownColours: Record<string, string> = {
  'a lemon': 'yellow',
  'a plum': 'purple',
  'a frog': 'green',
  'a pig': 'pink',
  'a bear': 'brown',
  milk: 'white',
};
export const opposites: [string, string][] = [
  ['big', 'small'],
  ['old', 'new'],
  ['hot', 'cold'],
  ['day', 'night'],
  ['fast', 'slow'],
  ['happy', 'sad'],
  ['open', 'closed'],
  ['up', 'down'],
];

/** Things that a person can have, see, find or lose. */
export const things: Noun[] = [...objects, ...animals, ...foods];

/** Words for lists that are to be copied: any of them, in any order. */
export const listWords: string[] = [
  ...names,
  ...colours,
  ...places,
  ...things.map((thing) => thing.one),
  ...drinks,
  ...numbers,
  ...sizes,
];

/** "kite" → "a kite", "apple" → "an apple" */
export function withArticle(phrase: string): string {
  return `${/^[aeiou]/.test(phrase) ? 'an' : 'a'} ${phrase}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function list(words: string): string[] {
  return words.split(' ');
}

function nouns(words: string): Noun[] {
  return list(words).map((one) => ({ one, many: one + (/(x|sh|o)$/.test(one) ? 'es' : 's') }));
}
