/**
 * nt for few rows on a processor: each lane goes down rows of w of its own, and so many streams at once are more than a processor fetches
 * ahead. So the lines of memory that a group's columns take are first touched in the order in which they lie; that is fetched ahead
 * well, and the product then finds them in the cache.
 */
import { resultColumns, rightOf, sideBySide, type ProductShape } from '../operands';

interface TouchTile extends ProductShape {
  cols: number;
  /** Lanes of the subgroup. */
  broadcast: number;
  blocks?: boolean;
}

/** What a processor's cache brings at once, in bytes. */
const LINE = 64;
/** Bytes that a group touches at most, so that the last of them do not push the first out of a processor's second cache. */
const MOST = 512 * 1024;

/** Bytes of one element of `right`, and an expression for a part of one as u32. `blocks`: elements are vec4u. */
function elementOf(tile: TouchTile): { bytes: number; bits: (at: string) => string } {
  const { word } = rightOf(tile);
  if (tile.blocks) return { bytes: 16, bits: (at) => `${at}.x` };
  switch (word) {
    case 'vec4f':
      return { bytes: 16, bits: (at) => `bitcast<u32>(${at}.x)` };
    case 'vec2u':
      return { bytes: 8, bits: (at) => `${at}.x` };
    case 'f32':
      return { bytes: 4, bits: (at) => `bitcast<u32>(${at})` };
    default:
      return { bytes: 4, bits: (at) => at };
  }
}

/** Lines that leave in `untouched` 0.0, which no compiler knows. A gated product has columns of its own in both halves of w. */
export function touchColumns(tile: TouchTile): string[] {
  const { bytes, bits } = elementOf(tile);
  const across = tile.broadcast * sideBySide(tile, tile.cols);
  const width = tile.blocks ? rightOf(tile).width * 4 : rightOf(tile).width;
  const begin = `min(wg.y * ${across}u, ${resultColumns(tile)})`;
  const halves = tile.gate ? ['0u', resultColumns(tile)] : ['0u'];
  return [
    'var seen = 0u;',
    `let elementsOfRow = shape.k / ${width}u;`,
    `let elementsOfGroup = min((min(wg.y * ${across}u + ${across}u, ${resultColumns(tile)}) - ${begin}) * elementsOfRow, ${MOST / bytes / halves.length}u);`,
    ...halves.flatMap((half) => [
      '{',
      `let first = (${begin} + ${half}) * elementsOfRow;`,
      `for (var i = lane * ${LINE / bytes}u; i < elementsOfGroup; i += ${(tile.broadcast * LINE) / bytes}u) { seen |= ${bits('right[first + i]')}; }`,
      '}',
    ]),
    'let untouched = f32(seen & shape.none);',
  ];
}
