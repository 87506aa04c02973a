/** What fits this machine with the settings as they stand in the form. The judgement is the guide's; this brings the facts together. */
import type { Candidate } from '../guide/candidate';
import { fitOf, judge, type Judgement } from '../guide/fit';
import { smallestChange, type Change } from '../guide/fitChange';
import { levelsOf, roomForLayers, type Level } from '../guide/layersKept';
import { memoryBudget, type Machine, type MemoryBudget } from '../guide/machineMemory';
import type { Plan } from '../protocol/events';
import { defaultSettings, type Settings } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import type { FormState } from './form.svelte';
import type { ModelsState } from './models.svelte';
import type { Preferences } from './preferences.svelte';

export class Fits {
  constructor(
    private readonly models: ModelsState,
    private readonly form: FormState,
    private readonly preferences: Preferences,
    /** navigator.deviceMemory in GiB, where the browser tells it. */
    private readonly deviceMemory: number | null,
  ) {}

  machine: Machine | null = $derived.by(() => {
    const { capabilities } = this.models;
    if (capabilities === null) return null;
    return { ...capabilities, deviceMemory: this.deviceMemory, budget: this.preferences.budget };
  });

  budget: MemoryBudget | null = $derived(this.machine === null ? null : memoryBudget(this.machine));

  /** The form's settings, or the defaults while a field is wrong. */
  get settings(): Settings {
    return this.form.settings ?? defaultSettings;
  }

  /** Null until the machine is known. */
  of({ config }: Candidate, weightFormat: WeightFormat): Judgement | null {
    return this.machine === null ? null : fitOf(config, { ...this.settings, weightFormat }, this.machine);
  }

  /** What would make it fit; null where nothing but a smaller model would. */
  change({ config }: Candidate, weightFormat: WeightFormat, examplesPerRow = 1): Change | null {
    if (this.machine === null) return null;
    return smallestChange(config, { ...this.settings, weightFormat }, this.machine, examplesPerRow);
  }

  /** Its memory with none, some and all layers kept for the way back. */
  levels({ config }: Candidate, weightFormat: WeightFormat): Level[] {
    return this.machine === null ? [] : levelsOf(config, { ...this.settings, weightFormat }, this.machine);
  }

  /** More layers than the form keeps, where there is room for them. */
  room({ config }: Candidate, weightFormat: WeightFormat, examplesPerRow = 1): Level | null {
    if (this.machine === null) return null;
    return roomForLayers(config, { ...this.settings, weightFormat }, this.machine, examplesPerRow);
  }

  /** On a run that the trainer has planned. */
  judge(plan: Plan): Judgement | null {
    return this.machine === null ? null : judge(plan, this.machine);
  }
}
