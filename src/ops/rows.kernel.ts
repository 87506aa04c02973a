/**
 * How kernels that work row by row are laid out: a subgroup a row on processor drivers (one lane a row where subgroups are
 * missing), a workgroup of 64 or 256 lanes a row on graphics cards. The way `single` is one lane a row anywhere.
 */
import reduceCode from '../../shaders/shared/rowReduce.wgsl?raw';
import subgroupCode from '../../shaders/shared/rowReduceSubgroup.wgsl?raw';
import { foldGroups, type Dispatch } from '../gpu/dispatch';
import { gpu } from '../gpu/inside';
import { shaderText } from '../gpu/shaderText';
import type { OperationName } from '../protocol/detours';
import { wayOf } from './ways';

type Layout = Pick<Dispatch, 'code' | 'constants' | 'groups'>;

/** Columns from which on 256 lanes share a row: each waits for memory once for every number of it that it reads. */
const WIDE = 512;

export function byRows(operation: OperationName, code: string, rows: number, cols: number): Layout {
  const { software, fixedSubgroup } = gpu();
  const of = (lanes: number, perGroup: number, reduce: string): Layout => ({
    code: shaderText(code, reduce, () => `${reduce}\n${code}`),
    constants: { LANES: lanes, ROWS: perGroup },
    groups: foldGroups(Math.ceil(rows / perGroup)),
  });
  if (wayOf(operation) === 'single') return of(1, 64, reduceCode);
  if (software && fixedSubgroup) return of(fixedSubgroup, 1, subgroupCode);
  if (software) return of(1, 64, reduceCode);
  return of(cols >= WIDE ? 256 : 64, 1, reduceCode);
}
