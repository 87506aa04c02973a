/**
 * nt for few rows on a processor: each lane goes down rows of w of its own, and so many streams at once are more than a processor fetches
 * ahead. So the lines of memory that a group's columns and their scales take are first touched in the order in which they lie; that is
 * fetched ahead well, and the product then finds them in the cache.
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
/** Bytes of weights that a group touches at most, so that the last of them do not push the first out of a processor's second cache. */
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
  const right = rightOf(tile);
  const { bytes, bits } = elementOf(tile);
  const across = tile.broadcast * sideBySide(tile, tile.cols);
  const width = tile.blocks ? right.width * 4 : right.width;
  const ends = resultColumns(tile);
  const halves = tile.gate ? ['0u', ends] : ['0u'];
  /** Goes from element `first` through `count` of them, of which `each` fill a line. */
  const through = (each: number, first: string, count: string, element: string) => [
    '{',
    `let first = ${first};`,
    `let count = ${count};`,
    `for (var i = lane * ${each}u; i < count; i += ${tile.broadcast * each}u) { seen |= ${element}; }`,
    '}',
  ];
  const most = `${MOST / bytes / halves.length}u`;
  const codes = (half: string) =>
    through(
      LINE / bytes,
      `(touchFrom + ${half}) * elementsOfRow`,
      `min((touchTo - touchFrom) * elementsOfRow, ${most})`,
      bits('right[first + i]'),
    );
  // a row's first scale may lie in the middle of a word
  const { wordsPerBlock, scalesPerWord } = right;
  const shift = `${Math.log2(scalesPerWord)}u`;
  const scales = (half: string) =>
    through(
      LINE / 4,
      `((touchFrom + ${half}) * blocksOfRow) >> ${shift}`,
      `(((touchTo + ${half}) * blocksOfRow + ${scalesPerWord - 1}u) >> ${shift}) - first`,
      'scales[first + i]',
    );
  return [
    'var seen = 0u;',
    `let touchFrom = min(wg.y * ${across}u, ${ends});`,
    `let touchTo = min(touchFrom + ${across}u, ${ends});`,
    `let elementsOfRow = shape.k / ${width}u;`,
    ...(wordsPerBlock > 0
      ? [`let blocksOfRow = shape.k / ${wordsPerBlock * right.width}u;`, ...halves.flatMap(scales)]
      : []),
    ...halves.flatMap(codes),
    'let untouched = f32(seen & shape.none);',
  ];
}
