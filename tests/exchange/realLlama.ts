/** llama.cpp itself, on the processor, and a folder for the files that it opens; both go when the tests of the file are over. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel, type Llama } from 'node-llama-cpp';
import { afterAll, beforeAll } from 'vitest';

export interface RealLlama {
  /** There once the tests run. */
  readonly llama: Llama;
  readonly folder: string;
}

export function realLlama(logLevel = LlamaLogLevel.error): RealLlama {
  const folder = mkdtempSync(join(tmpdir(), 'loratory-llama-'));
  let llama: Llama | null = null;
  beforeAll(async () => {
    llama = await getLlama({ build: 'never', gpu: false, logLevel });
  });
  afterAll(async () => {
    await llama?.dispose();
    rmSync(folder, { recursive: true });
  });
  return {
    folder,
    get llama() {
      if (!llama) throw new Error('llama.cpp is there once the tests run.');
      return llama;
    },
  };
}
