/** The test projects: unit (Node), gpu (Node on real WebGPU through Dawn), browser (real Chromium). */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findChromium, prepareVulkan, SWIFTSHADER_ARGS } from './scripts/system.mjs';

prepareVulkan(); // here, because the forked test processes inherit this environment

// tfjs' gradient registry is imported without a file extension, which plain Node cannot resolve.
const server = { deps: { inline: [/@tensorflow/] } };
const browser = findChromium();

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [svelte()],
        test: {
          name: 'unit',
          environment: 'node',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/**/*.{gpu,browser}.test.ts', 'tests/oracle/**'],
          server,
        },
      },
      {
        test: {
          name: 'gpu',
          environment: 'node',
          include: ['tests/**/*.gpu.test.ts'],
          setupFiles: ['tests/gpu/setup.ts'],
          // One process and one file at a time: the software driver uses every core there is.
          pool: 'forks',
          isolate: false,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          server,
        },
      },
      {
        plugins: [svelte()],
        test: {
          name: 'browser',
          include: ['tests/**/*.browser.test.ts'],
          testTimeout: 60_000,
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
    ],
  },
});
