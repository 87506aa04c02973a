/** llama.cpp itself, and a folder for the files that it opens; both go when the tests of the file are over. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel, NoBinaryFoundError, type Llama } from 'node-llama-cpp';
import { afterAll, beforeAll } from 'vitest';
import { findLavapipe } from '../../scripts/system.mjs';

interface Started {
  readonly llama: Llama;
  /** Why it rounds on its way; null where it computes in f32 throughout. */
  readonly rounds: string | null;
}

/** `llama` and `rounds` are there once the tests run. */
export interface RealLlama extends Started {
  readonly folder: string;
}

/** On the processor, where what goes into a product with quantised weights is rounded to 8 bits, and GELU comes out of a table. */
export const realLlama = (logLevel?: LlamaLogLevel) =>
  lasting(() => onProcessor('it was started on the processor', logLevel));

/** In f32 throughout: the Vulkan build on Mesa's software driver. On the processor where either is missing. */
export const exactLlama = () => lasting(inFullPrecision);

async function onProcessor(rounds: string, logLevel = LlamaLogLevel.error): Promise<Started> {
  return { llama: await getLlama({ build: 'never', gpu: false, logLevel }), rounds };
}

/** Read by llama.cpp when it loads. A software driver must be named, else it is passed over. */
const FULL_PRECISION = {
  GGML_VK_VISIBLE_DEVICES: '0',
  GGML_VK_DISABLE_F16: '1',
  GGML_VK_DISABLE_INTEGER_DOT_PRODUCT: '1',
  GGML_VK_DISABLE_COOPMAT: '1',
  GGML_VK_DISABLE_COOPMAT2: '1',
  GGML_VK_DISABLE_FUSION: '1', // fused kernels take the driver's compiler minutes
};

async function inFullPrecision(): Promise<Started> {
  const driver = findLavapipe();
  if (driver === null) return onProcessor('Mesa’s lavapipe is not installed');
  // Whatever driver the environment names: SwiftShader, which the kernels are tested on, cannot store 16 bits.
  Object.assign(process.env, FULL_PRECISION, { VK_ICD_FILENAMES: driver });
  try {
    const llama = await getLlama({ build: 'never', gpu: 'vulkan', logLevel: LlamaLogLevel.error });
    return { llama, rounds: null };
  } catch (cause) {
    if (cause instanceof NoBinaryFoundError) return onProcessor('llama.cpp’s Vulkan build is not installed');
    throw cause;
  }
}

function lasting(start: () => Promise<Started>): RealLlama {
  const folder = mkdtempSync(join(tmpdir(), 'loratory-llama-'));
  let started: Started | null = null;
  beforeAll(async () => {
    started = await start();
  });
  afterAll(async () => {
    await started?.llama.dispose();
    rmSync(folder, { recursive: true });
  });
  const running = () => {
    if (!started) throw new Error('llama.cpp is there once the tests run.');
    return started;
  };
  return {
    folder,
    get llama() {
      return running().llama;
    },
    get rounds() {
      return running().rounds;
    },
  };
}
