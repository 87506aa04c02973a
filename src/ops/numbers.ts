/** Kernels that go through rows of numbers four at a time where the length of a row allows it: a load brings as many. */
import { shaderText } from '../gpu/shaderText';

const TYPES = {
  vec4f: { each: 4, total: 'value.x + value.y + value.z + value.w' },
  f32: { each: 1, total: 'value' },
};

/**
 * `code` with `Numbers`, the type of what it reads at once of a row of `width`, `EACH`, how many numbers that is, and `total`, their sum,
 * in front of it.
 */
export function inNumbers(code: string, width: number): { code: string; each: number } {
  const type = width % 4 === 0 ? 'vec4f' : 'f32';
  const { each, total } = TYPES[type];
  const names = [
    `alias Numbers = ${type};`,
    `const EACH = ${each}u;`,
    `fn total(value: Numbers) -> f32 { return ${total}; }`,
  ];
  return { code: shaderText(code, type, () => [...names, code].join('\n')), each };
}
