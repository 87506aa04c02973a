/**
 * The test projects: unit (Node), llama (against llama.cpp in f32), gpu and half (Node on real WebGPU through Dawn), browser (real Chromium),
 * journey (the built app).
 */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findChromium, prepareVulkan, SWIFTSHADER_ARGS } from './scripts/system.mjs';

prepareVulkan(); // here, because the forked test processes inherit this environment

// tfjs' gradient registry is imported without a file extension, which plain Node cannot resolve.
const server = { deps: { inline: [/@tensorflow/] } };
const browser = findChromium();

/**
 * Software drivers compile a kernel on one core, and most of a test on WebGPU is compiling: two files at a time take little more than
 * half the time of one after the other. More would only wait for each other.
 */
const pairs = { fileParallelism: true, maxWorkers: 2 };

/** Tests on real WebGPU in Node. */
const onDawn = (name: string) => ({
  test: {
    name,
    environment: 'node' as const,
    include: [`tests/**/*.${name}.test.ts`],
    setupFiles: ['tests/gpu/setup.ts'],
    pool: 'forks' as const,
    isolate: false,
    ...pairs,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    server,
  },
});

export default defineConfig({
  test: {
    projects: [
      {
        // State classes are tested as the browser runs them: with effects, not as server rendering.
        plugins: [svelte({ configFile: false, dynamicCompileOptions: () => ({ generate: 'client' }) })],
        environments: { ssr: { resolve: { conditions: ['browser', 'module', 'node', 'development'] } } },
        test: {
          name: 'unit',
          environment: 'node',
          maxWorkers: 2,
          testTimeout: 20_000,
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/**/*.{gpu,half,browser,llama}.test.ts', 'tests/oracle/**'],
          server: { deps: { inline: [/@tensorflow/, /svelte/] } },
        },
      },
      {
        test: {
          name: 'llama',
          environment: 'node',
          include: ['tests/**/*.llama.test.ts'],
          // One file at a time, and patient: at first lavapipe compiles a kernel for each encoding.
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          server,
        },
      },
      onDawn('gpu'),
      // what needs half floats, on another driver
      onDawn('half'),
      {
        plugins: [svelte({ configFile: false })],
        // Named here, because a dependency found in the middle of a run would reload the page under test.
        optimizeDeps: {
          include: [
            ...['axe-core', 'client-zip', 'comlink', 'fflate', 'idb', 'papaparse', 'uplot', 'valibot'],
            ...['@huggingface/jinja', '@huggingface/tokenizers'],
            ...['@tensorflow/tfjs-core', '@tensorflow/tfjs-core/dist/register_all_gradients'],
            ...['@tensorflow/tfjs-backend-webgpu', '@tensorflow/tfjs-backend-cpu'],
          ],
        },
        test: {
          name: 'browser',
          include: ['tests/**/*.browser.test.ts'],
          testTimeout: 60_000,
          expect: { poll: { timeout: 20_000 } }, // a busy machine is no fault
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { ...(browser ? { executablePath: browser } : {}), args: SWIFTSHADER_ARGS },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        test: {
          name: 'journey',
          environment: 'node',
          include: ['tests/browser/**/*.journey.ts'],
          globalSetup: ['tests/browser/server.ts'],
          fileParallelism: false, // a browser takes both cores of a small machine by itself
          testTimeout: 300_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 60_000 } }, // a busy machine is no fault
        },
      },
    ],
  },
});
