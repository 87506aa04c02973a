/** Whether a run still lies over the base it was begun on. */
import { AdapterError } from '../../src/exchange/adapterError';
import type { StoredRun } from '../../src/storage/schema';
import type { Library } from '../models/library';

/** What a run has learned fits the weights it was begun on, and no others. */
export async function checkBase(
  library: Pick<Library, 'files'>,
  { name, modelId, modelName, baseHash }: StoredRun,
): Promise<void> {
  if (baseHash === undefined) return;
  const found = await (await library.files(modelId)).hash();
  if (found !== baseHash)
    throw new AdapterError(
      `The run ${name} was begun on other weights than ${modelName} has now. It stays as it is: go on where the model is as it was, or start a new run.`,
      baseHash.slice(0, 12),
      found.slice(0, 12),
    );
}
