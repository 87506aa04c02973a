/** How kernels that work row by row are laid out: one lane a row on processor drivers, 64 lanes a row elsewhere. */
import reduceCode from '../../shaders/shared/rowReduce.wgsl?raw';
import { foldGroups, gpu, type Constants } from '../gpu/dispatch';

export function rowLayout(rows: number): { constants: Constants; groups: [number, number, number] } {
  const lanes = gpu().software ? 1 : 64;
  const perGroup = 64 / lanes;
  return { constants: { LANES: lanes, ROWS: perGroup }, groups: foldGroups(Math.ceil(rows / perGroup)) };
}

export function withReduce(code: string): string {
  return `${reduceCode}\n${code}`;
}
