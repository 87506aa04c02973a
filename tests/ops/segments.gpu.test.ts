/**
 * Layers that run as one product, each with an adapter of its own or none: every design against each layer by itself, and gradients
 * added where they are made.
 */
import { afterEach, beforeAll, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { preferDesign } from '../../src/ops/product/choose';
import { DESIGNS, ROW_DESIGNS } from './products';
import { againstEachLayer } from './segmentCases';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => {
  preferDesign(null);
  engine.check();
});

againstEachLayer({ ...DESIGNS, ...ROW_DESIGNS });
