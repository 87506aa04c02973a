/**
 * The self-test on the device that is running: every operation by itself in every weight format, then a tiny model whose logits,
 * losses, gradients, ten training steps and generated tokens were computed by PyTorch, transformers and PEFT.
 */
import type { Engine } from '../gpu/backend';
import { kernelsMade } from '../gpu/pipelines';
import type { SelfTestCheck, SelfTestReport } from '../protocol/benchmark';
import { checkOracle, ORACLE_TOLERANCES, type OracleFiles } from './check';
import { checkOperations } from './operations';

/** 8- and 4-bit weights are another model than the oracle's; the operations hold those to their twins. */
const ORACLE_FORMATS = ['f32', 'f16'] as const;

export async function selfTest(
  engine: Engine,
  files: OracleFiles,
  hear: (check: SelfTestCheck) => void,
  signal: AbortSignal,
): Promise<SelfTestReport> {
  if (!engine.gpu) throw new Error('The self-test needs WebGPU, and this browser offers none.');
  const checks: SelfTestCheck[] = [];
  const broken: string[] = [];
  const note = (check: SelfTestCheck) => {
    signal.throwIfAborted();
    checks.push(check);
    hear(check);
  };
  await checkOperations(
    () => engine.check(),
    ({ operation, ...rest }) => {
      if (!rest.ok) broken.push(operation);
      note({ part: 'operations', check: operation, ...rest });
    },
    signal,
  );
  for (const format of ORACLE_FORMATS) {
    await checkOracle('oracle', files, format, ORACLE_TOLERANCES[format], ({ check, error, tolerance, ok }) =>
      note({ part: format, check, error, tolerance, ok }),
    );
    engine.check();
  }
  const { device, name } = engine.gpu;
  return { device: name, features: [...device.features], checks, kernels: kernelsMade(), broken };
}
