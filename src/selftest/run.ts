/**
 * The self-test on the device that is running: every operation by itself in every weight format, then a tiny model whose logits,
 * losses, gradients, ten training steps and generated tokens were computed by PyTorch, transformers and PEFT. An operation that is
 * wrong is gone round, and the model is tried with the detours in force, which stay.
 */
import type { Engine } from '../gpu/backend';
import { kernelsMade } from '../gpu/pipelines';
import { detoursInUse, NoRightWay, useDetours } from '../ops/ways';
import type { SelfTestCheck, SelfTestReport } from '../protocol/benchmark';
import { checkOracle, ORACLE_TOLERANCES, type OracleFiles } from './check';
import { findDetours } from './detours';
import { operationsToTest } from './operations';

/** 8- and 4-bit weights are another model than the oracle's; the operations hold those to their twins. */
const ORACLE_FORMATS = ['f32', 'f16'] as const;

/** Ended early, it leaves the detours as they were. */
export async function selfTest(
  engine: Engine,
  files: OracleFiles,
  hear: (check: SelfTestCheck) => void,
  signal: AbortSignal,
): Promise<SelfTestReport> {
  if (!engine.gpu) throw new Error('The self-test needs WebGPU, and this browser offers none.');
  const before = detoursInUse();
  const checks: SelfTestCheck[] = [];
  const note = (check: SelfTestCheck) => {
    signal.throwIfAborted();
    checks.push(check);
    hear(check);
  };
  try {
    const detours = await findDetours(operationsToTest(), () => engine.check(), note, signal);
    const broken = checks.filter(({ ok, way }) => !ok && !way).map(({ check }) => check);
    const judged = await checkModel(engine, files, note);
    const { device, name } = engine.gpu;
    return {
      ...{ device: name, features: [...device.features], checks, kernels: kernelsMade(), broken },
      verdict: { detours, right: judged, made: Date.now() },
    };
  } catch (error) {
    useDetours(before);
    throw error;
  }
}

/** Whether all is right in every format that is not refused, and one is not. */
async function checkModel(
  engine: Engine,
  files: OracleFiles,
  note: (check: SelfTestCheck) => void,
): Promise<boolean> {
  const oks: boolean[] = [];
  for (const format of ORACLE_FORMATS)
    try {
      await checkOracle('oracle', files, format, ORACLE_TOLERANCES[format], (made) => {
        const { check, error, tolerance, ok } = made;
        oks.push(ok);
        note({ part: format, check, error, tolerance, ok });
      });
      engine.check();
    } catch (error) {
      if (!(error instanceof NoRightWay)) throw error;
    }
  return oks.length > 0 && oks.every((ok) => ok);
}
