/** Products in tiles of half floats, where the device has them. */
import { afterEach, beforeAll, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { againstLoops } from './productCases';
import { HALF_DESIGNS } from './products';
import { againstEachLayer } from './segmentCases';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

againstLoops(HALF_DESIGNS);
againstEachLayer(HALF_DESIGNS);
