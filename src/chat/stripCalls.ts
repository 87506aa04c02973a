/**
 * Python's `text.lstrip('\n')` takes away only the characters it names; the template engine ignores the argument and takes all
 * blanks. Such calls are turned into calls of the functions below, so that a template prints what it prints elsewhere.
 */
import { field, isRow } from '../dataset/record';

const NAMES = ['strip', 'lstrip', 'rstrip'] as const;
type Side = (typeof NAMES)[number];

/** Globals by the names that the rewritten calls use. */
export const stripGlobals: Record<string, (text: unknown, characters: unknown) => string> =
  Object.fromEntries(
    NAMES.map((side) => [
      nameOf(side),
      (text: unknown, characters: unknown) => stripCharacters(side, text, characters),
    ]),
  );

/** Rewrites the calls in a parsed template, in place. */
export function rewriteStripCalls(node: unknown): void {
  if (Array.isArray(node)) {
    for (const child of node) rewriteStripCalls(child);
    return;
  }
  if (!isRow(node)) return;
  for (const child of Object.values(node)) rewriteStripCalls(child);
  const callee = field(node, 'callee');
  const args = field(node, 'args');
  if (field(node, 'type') !== 'CallExpression' || !isRow(callee) || !Array.isArray(args) || args.length !== 1)
    return;
  const property = field(callee, 'property');
  if (field(callee, 'type') !== 'MemberExpression' || field(callee, 'computed') === true || !isRow(property))
    return;
  const side = NAMES.find((name) => name === field(property, 'value'));
  if (side === undefined) return;
  node.args = [field(callee, 'object'), ...(args as unknown[])];
  property.value = nameOf(side);
  node.callee = property;
}

function nameOf(side: Side): string {
  return `${side}_characters`;
}

function stripCharacters(side: Side, text: unknown, characters: unknown): string {
  if (typeof text !== 'string') throw new Error(`${side}() needs a text`);
  if (typeof characters !== 'string')
    return { strip: text.trim(), lstrip: text.trimStart(), rstrip: text.trimEnd() }[side];
  const named = new Set(characters);
  const letters = [...text];
  let from = 0;
  let to = letters.length;
  if (side !== 'rstrip') while (from < to && named.has(letters[from] ?? '')) from++;
  if (side !== 'lstrip') while (to > from && named.has(letters[to - 1] ?? '')) to--;
  return letters.slice(from, to).join('');
}
