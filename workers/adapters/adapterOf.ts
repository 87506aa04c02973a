/** What a run has learned, as an adapter with a name and files of its own. */
import { adapterFrom } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import type { Block } from '../../src/adapter/trainable';
import { writePeft } from '../../src/exchange/peft';
import type { ModelConfig } from '../../src/model/config';
import type { ModelSummary } from '../../src/protocol/models';
import type { StoredAdapter } from '../../src/storage/adapters';
import type { StoredRun } from '../../src/storage/schema';
import type { RunOutcome } from '../../src/training/run';
import { publishedAs } from '../models/modelSummary';

export function adapterOf(
  run: StoredRun,
  base: Pick<ModelSummary, 'name' | 'origin'>,
  config: ModelConfig,
  blocks: Block[],
  outcome: RunOutcome,
): StoredAdapter {
  const { settings } = run;
  const adapter = adapterFrom(specOf(settings, config), blocks, outcome.parameters);
  const { config: peftConfig, weights } = writePeft(adapter, publishedAs(base));
  return {
    summary: {
      id: crypto.randomUUID(),
      name: run.name,
      modelId: run.modelId,
      modelName: run.modelName,
      created: Date.now(),
      bytes: weights.byteLength,
      rank: settings.rank,
      alpha: settings.alpha,
      targets: settings.targets,
      origin: 'trained',
      bestLoss: outcome.watch.bestLoss,
      runId: run.id,
      ...(run.data.manner && { manner: run.data.manner }),
    },
    peft: { config: peftConfig, weights },
    runRecord: null,
  };
}
