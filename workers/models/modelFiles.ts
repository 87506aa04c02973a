/** A model as it is read, and as it is once it lies on the device. */
import type { ChatFormat } from '../../src/chat/format';
import type { WeightSource } from '../../src/checkpoint/source';
import type { ModelConfig } from '../../src/model/config';
import type { ModelWeights } from '../../src/model/weights';
import type { ChatAssets } from '../../src/protocol/data';
import type { HubFile, ModelSummary } from '../../src/protocol/models';

/** Not yet on the device. */
export interface ModelFiles {
  summary: ModelSummary;
  config: ModelConfig;
  /** config.json, parsed. */
  rawConfig: unknown;
  assets: ChatAssets;
  source: WeightSource;
  /** The weight files it was made of, as far as they are known. */
  weightFiles: HubFile[];
  /** Of its form and its weights as they are now. */
  hash: () => Promise<string>;
}

export interface OpenModel extends ModelFiles {
  weights: ModelWeights;
  format: ChatFormat;
}
