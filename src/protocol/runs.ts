/** A run as lists and pages show it. */
import type { Evaluated, FinishReason, Plan, StepReport } from './events';
import type { Settings } from './settings';

export interface RunSummary {
  id: string;
  name: string;
  modelId: string;
  modelName: string;
  datasetName: string;
  created: number;
  status: 'running' | 'unfinished' | 'finished' | 'failed';
  step: number;
  steps: number;
  bestLoss: number | null;
  adapterId: string | null;
}

export interface RunHistory {
  summary: RunSummary;
  settings: Settings;
  plan: Plan | null;
  steps: StepReport[];
  evaluations: Evaluated[];
  finished: FinishReason | null;
}
