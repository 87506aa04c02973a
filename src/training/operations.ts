/** Which operations a run is computed by, as the self-test judges them. */
import type { OperationName } from '../protocol/detours';
import type { Settings } from '../protocol/settings';
import { outsideFormat } from '../protocol/weightFormats';

export function operationsOf({
  method,
  weightFormat,
  dropout,
}: Pick<Settings, 'method' | 'weightFormat' | 'dropout'>): OperationName[] {
  const format = method === 'full' ? 'f32' : weightFormat;
  const outside = outsideFormat(format);
  return [
    ...(['rmsNorm', 'heads', 'attention', 'glu', 'crossEntropy', 'rows', 'adamw'] as const),
    ...(dropout > 0 ? (['dropout'] as const) : []),
    // adapters are f32 in every format
    ...[...new Set(['f32', format, outside] as const)].map((one) => `linear ${one}` as const),
    `embed ${outside}`,
  ];
}
