/** Runs a model's tokenizer and template for the first time, in a thread of its own that can be ended. */
import { expose } from 'comlink';
import { assetsFrom } from '../src/chat/assets';
import { attemptData } from './attemptData';

const api = {
  read: (files: ReadonlyMap<string, string>, config: unknown) => attemptData(() => assetsFrom(files, config)),
};
export type AssetsApi = typeof api;

expose(api);
