/** Serves the built app for all journeys and tells them its address. */
import type { TestProject } from 'vitest/node';
import { serve } from '../../scripts/serve.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    appUrl: string;
  }
}

export default async function setup(project: TestProject) {
  const { url, close } = await serve({ port: 0 });
  project.provide('appUrl', url);
  return close;
}
