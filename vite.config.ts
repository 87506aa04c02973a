/** How the app is built: Svelte, ES-module workers, a strict CSP in the page, and everything precached for offline use. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { CSP_META } from './scripts/csp.mjs';
import { SELF_TEST_FILES } from './src/selftest/files.ts';

// Only in the built page: the dev server needs inline scripts and a web socket.
const contentSecurityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: { 'http-equiv': 'Content-Security-Policy', content: CSP_META },
      injectTo: 'head-prepend',
    },
  ],
};

// The oracle of the page's self-test is a fixture of the tests: served and built from there, not copied into public/.
const oracle = join(import.meta.dirname, 'tests/fixtures/models/qwen2');
const selfTestFiles: Plugin = {
  name: 'self-test-files',
  configureServer({ middlewares }) {
    middlewares.use((request, response, next) => {
      const name = SELF_TEST_FILES.find((file) => request.url?.endsWith(`/demo/selftest/${file}`));
      if (name) response.end(readFileSync(join(oracle, name)));
      else next();
    });
  },
  generateBundle() {
    for (const name of SELF_TEST_FILES)
      this.emitFile({
        type: 'asset',
        fileName: `demo/selftest/${name}`,
        source: readFileSync(join(oracle, name)),
      });
  },
};

export default defineConfig({
  base: './', // works under any path of any static host
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  worker: { format: 'es' },
  plugins: [
    svelte({ configFile: false }),
    contentSecurityPolicy,
    selfTestFiles,
    VitePWA({
      registerType: 'prompt', // a reload during a run would lose work: the person decides
      injectRegister: null, // the screen registers it and shows "update ready"
      manifest: {
        name: 'Loratory',
        short_name: 'Loratory',
        description: 'Fine-tune small language models inside a browser tab.',
        start_url: './',
        scope: './',
        display: 'standalone',
        background_color: '#ffffff',
        theme_color: '#1f4f8f',
        icons: [
          { src: 'icons/icon.svg', sizes: 'any', type: 'image/svg+xml' },
          { src: 'icons/icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icons/icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icons/icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
      },
      workbox: {
        // The page, the workers and the embedded lesson: the first visit is enough to work offline.
        globPatterns: ['**/*.{html,js,css,svg,png,ico,webmanifest}', 'demo/**/*'],
        // Heavy and optional: kept by the browser after first use only. The screenshot is for the README.
        globIgnores: ['**/transformers*', '**/ort*', '**/*.wasm', 'screenshot.png'],
        maximumFileSizeToCacheInBytes: 32 * 1024 * 1024,
        cleanupOutdatedCaches: true,
      },
    }),
  ],
});
