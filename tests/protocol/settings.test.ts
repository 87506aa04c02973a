/** Settings that come from outside: missing ones, wrong ones, and those of version 0.1.0. */
import { describe, expect, it } from 'vitest';
import { defaultSettings, parseSettings } from '../../src/protocol/settings';

describe('settings from outside', () => {
  it('take the default where they are missing', () => {
    expect(parseSettings({ rank: 4 })).toEqual({ ...defaultSettings, rank: 4 });
  });

  it('name the field that is wrong', () => {
    expect(() => parseSettings({ rank: 0 })).toThrow(/cannot be used\. rank: .*>=1/);
    expect(() => parseSettings({ rang: 8 })).toThrow(/rang/);
  });

  it('of version 0.1.0, which computed all layers again or none, say how many are kept', () => {
    expect(parseSettings({ recompute: true })).toEqual(defaultSettings);
    expect(parseSettings({ recompute: false }).keptLayers).toBe(1000);
    expect(parseSettings({ recompute: false, keptLayers: 3 }).keptLayers).toBe(3);
  });
});
