/** How many layers there is room to keep for the way back: time bought with memory that would lie idle. Found by trying. */
import type { ModelConfig } from '../model/config';
import type { Settings } from '../protocol/settings';
import type { Bytes } from '../units';
import { fitOf, type Verdict } from './fit';
import type { Machine } from './machineMemory';

/** A run with `kept` of the model's `layers` kept. */
export interface Level {
  kept: number;
  layers: number;
  bytes: Bytes;
  verdict: Verdict;
}

/** None kept, as many as fit, and all; the same number is said once. */
export function levelsOf(
  config: ModelConfig,
  settings: Settings,
  machine: Machine,
  examplesPerRow = 1,
): Level[] {
  const most = mostThatFit(config, settings, machine, examplesPerRow);
  const counts = new Set([0, most ?? 0, config.layers]);
  return [...counts].map((kept) => levelOf(config, settings, machine, examplesPerRow, kept));
}

/** As many as fit; null where that is no more than the settings keep. */
export function roomForLayers(
  config: ModelConfig,
  settings: Settings,
  machine: Machine,
  examplesPerRow = 1,
): Level | null {
  const most = mostThatFit(config, settings, machine, examplesPerRow);
  if (most === null || most <= settings.keptLayers) return null;
  return levelOf(config, settings, machine, examplesPerRow, most);
}

/** Null where the run does not fit even if none is kept. Every layer more takes more. */
function mostThatFit(
  config: ModelConfig,
  settings: Settings,
  machine: Machine,
  examplesPerRow: number,
): number | null {
  const fits = (kept: number) => levelOf(config, settings, machine, examplesPerRow, kept).verdict === 'fits';
  if (!fits(0)) return null;
  let [most, tooMany] = [0, config.layers + 1];
  while (tooMany - most > 1) {
    const middle = Math.floor((most + tooMany) / 2);
    if (fits(middle)) most = middle;
    else tooMany = middle;
  }
  return most;
}

function levelOf(
  config: ModelConfig,
  settings: Settings,
  machine: Machine,
  examplesPerRow: number,
  kept: number,
): Level {
  const { needed: bytes, verdict } = fitOf(
    config,
    { ...settings, keptLayers: kept },
    machine,
    examplesPerRow,
  );
  return { kept, layers: config.layers, bytes, verdict };
}
