/** Things in a row that have something in common, together: a change begins another group, also where it was there before. */
export interface Group<Thing, Common> {
  common: Common;
  things: Thing[];
}

export function neighbours<Thing, Common>(
  things: readonly Thing[],
  commonOf: (thing: Thing) => Common,
): Group<Thing, Common>[] {
  const groups: Group<Thing, Common>[] = [];
  for (const thing of things) {
    const common = commonOf(thing);
    const last = groups.at(-1);
    if (last?.common === common) last.things.push(thing);
    else groups.push({ common, things: [thing] });
  }
  return groups;
}
