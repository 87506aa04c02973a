/** A run's record from what the run left behind. Gathers and renames; computes nothing but times. */
import type { ReceiptLine } from '../protocol/adapters';
import type { Capabilities } from '../protocol/capabilities';
import type { RunHistory } from '../protocol/runs';
import type { Scores } from '../protocol/scores';
import type { TrainingData } from '../protocol/data';
import { RUN_VERSION, type RunRecord } from './runRecord';

export interface RunFacts {
  app: RunRecord['app'];
  /** Milliseconds since 1970. */
  created: number;
  finished: number | null;
  base: Omit<RunRecord['base'], 'weightFormat'>;
  data: TrainingData;
  history: Pick<RunHistory, 'settings' | 'steps' | 'evaluations'>;
  capabilities: Capabilities;
  browser: string | null;
  /** sha-256 of the weights that the best check belongs to. */
  adapterSha256: string | null;
  scores: Scores | null;
  exports: ReceiptLine[];
  faults: RunRecord['faults'];
}

export function buildRunRecord(facts: RunFacts): RunRecord {
  const { data, history, capabilities, scores } = facts;
  const { backend, device, software, features, maxBindingBytes, maxBufferBytes } = capabilities;
  return {
    format: 'loratory-run',
    version: RUN_VERSION,
    app: facts.app,
    created: new Date(facts.created).toISOString(),
    finished: facts.finished === null ? null : new Date(facts.finished).toISOString(),
    base: { ...facts.base, weightFormat: history.settings.weightFormat },
    dataset: {
      name: data.name,
      sha256: data.hash,
      mask: history.settings.mask,
      trainExamples: data.train.examples,
      supervisedTokens: data.train.supervised,
      testIsValidation: data.testIsValidation,
      split: data.split,
    },
    settings: history.settings,
    device: { backend, device, software, features, maxBindingBytes, maxBufferBytes, browser: facts.browser },
    curves: {
      steps: history.steps.map(({ step, loss, learningRate, gradientNorm, supervised, stepTime }) => {
        return { step, loss, learningRate, gradientNorm, supervised, milliseconds: stepTime };
      }),
      evaluations: history.evaluations.map(({ step, loss }) => ({ step, loss })),
    },
    best: bestOf(history.evaluations, facts.adapterSha256),
    evaluation: scores === null ? [] : [evaluationOf(scores, data.testIsValidation)],
    exports: facts.exports.map(({ file, bytes, sha256, difference, tolerance }) => {
      const tested = difference !== null && tolerance !== null;
      const selfTest = tested ? { difference, tolerance, passed: difference <= tolerance } : null;
      return { file, bytes, sha256, selfTest };
    }),
    faults: facts.faults,
  };
}

function bestOf(evaluations: RunHistory['evaluations'], adapterSha256: string | null): RunRecord['best'] {
  const [first, ...others] = evaluations;
  if (!first) return null;
  const { step, loss } = others.reduce((best, next) => (next.loss < best.loss ? next : best), first);
  return { step, loss, adapterSha256 };
}

function evaluationOf(scores: Scores, testIsValidation: boolean): RunRecord['evaluation'][number] {
  const { metric, base, tuned, fixed, broken, pValue } = scores;
  return { metric, split: testIsValidation ? 'validation' : 'test', base, tuned, fixed, broken, pValue };
}
