/** The settings being edited. Every field, limit and text comes from protocol/settings; this adds only the editing. */
import { SvelteSet } from 'svelte/reactivity';
import * as v from 'valibot';
import type { ModelSummary } from '../protocol/models';
import { fieldNotes } from '../protocol/settingNotes';
import { defaultSettings, parseSettings, settingsSchema, type Settings } from '../protocol/settings';
import { suitedFormat } from '../protocol/suitedFormat';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Milliseconds, Tokens } from '../units';

export type Field = keyof Settings;
/** What stands in the form: an emptied number box is null. */
export type Draft = { [K in Field]: Settings[K] extends number ? number | null : Settings[K] };

type Issue = v.InferIssue<typeof settingsSchema>;

const KEY = 'loratory.settings';
/** Quiet time after the last edit before the form is kept. */
const SAVE_AFTER: Milliseconds = 300;

export class FormState {
  draft: Draft = $state(copy(defaultSettings));
  /** What the "default" beside each field is: the schema's, or the chosen lesson's. */
  base: Settings = $state.raw(defaultSettings);
  /** The lesson the base comes from. */
  baseName: string | null = $state(null);
  /** The form the chosen model is kept in, where it can be trained in no other. */
  keptFormat: WeightFormat | null = $state(null);
  /** Tokens that the chosen model reads at most; null while none is chosen. */
  #reads: Tokens | null = $state(null);
  #suited: WeightFormat = defaultSettings.weightFormat;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #edited = new SvelteSet<Field>();

  #parsed = $derived(v.safeParse(settingsSchema, $state.snapshot(this.draft)));
  #tooLong = $derived(this.#reads !== null && (this.draft.sequenceLength ?? 0) > this.#reads);
  /** The settings, or null while a field is wrong. */
  settings: Settings | null = $derived(this.#parsed.success && !this.#tooLong ? this.#parsed.output : null);
  errors: Partial<Record<Field, string>> = $derived.by(() => {
    const found: Partial<Record<Field, string>> = {};
    // the tighter of two limits comes last
    for (const issue of this.#parsed.issues ?? []) {
      const key = issue.path?.[0]?.key;
      if (typeof key === 'string' && isField(key)) found[key] = sentence(key, this.draft[key], issue);
    }
    if (this.#tooLong)
      found.sequenceLength ??= `The chosen model reads ${this.#reads?.toLocaleString('en-US')} tokens at most.`;
    return found;
  });
  changed: Field[] = $derived(
    fields.filter((field) => JSON.stringify(this.draft[field]) !== JSON.stringify(this.base[field])),
  );

  constructor(private readonly store: Pick<Storage, 'getItem' | 'setItem'> | null) {
    const kept = store?.getItem(KEY);
    if (kept === null || kept === undefined) return;
    try {
      this.draft = copy(parseSettings(JSON.parse(kept)));
    } catch {
      // Settings kept by another version: the defaults are right, and the next edit replaces them.
      this.draft = copy(defaultSettings);
    }
  }

  /** Takes over a lesson's settings as the new defaults; fields the person has edited on this page stay as edited. */
  adopt(settings: Settings, name: string | null): void {
    const edits = Object.fromEntries([...this.#edited].map((field) => [field, this.draft[field]]));
    this.base = { ...settings, weightFormat: this.#suited };
    this.baseName = name;
    this.draft = { ...copy(this.base), ...edits };
    this.#keepSoon();
  }

  /** A lesson of an earlier visit: its settings are the defaults again; what stands in the form was left there by the person. */
  rejoin(settings: Settings, name: string): void {
    this.base = { ...settings, weightFormat: this.#suited };
    this.baseName = name;
    for (const field of this.changed) if (field !== 'weightFormat') this.#edited.add(field);
  }

  /**
   * What the chosen model asks of the settings: the weight format is the one it is kept in, else what its size suits unless the person
   * chose; sequences are no longer than it reads.
   */
  suit({
    weightFormat,
    parameters,
    contextLength,
  }: Pick<ModelSummary, 'weightFormat' | 'parameters' | 'contextLength'>): void {
    this.#reads = contextLength;
    this.keptFormat = weightFormat;
    this.#suited = weightFormat ?? suitedFormat(parameters);
    if (weightFormat !== null) this.#edited.delete('weightFormat');
    this.base = { ...this.base, weightFormat: this.#suited };
    if (!this.#edited.has('weightFormat')) this.draft = { ...this.draft, weightFormat: this.#suited };
    this.#keepSoon();
  }

  reset(field?: Field): void {
    if (field === undefined) this.#edited.clear();
    else this.#edited.delete(field);
    this.draft = field === undefined ? copy(this.base) : { ...this.draft, [field]: copy(this.base)[field] };
    this.#keepSoon();
  }

  /** Takes what a control holds, right or wrong: the schema judges it. */
  put(field: Field, value: unknown): void {
    this.#edited.add(field);
    this.draft = { ...this.draft, [field]: value };
    this.#keepSoon();
  }

  #keepSoon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.keepNow(), SAVE_AFTER);
  }

  /** Keeps an edit that is not kept yet, where there is one. */
  keepNow(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#keep();
  }

  /** Takes over several fields at once, as if they had been entered. */
  apply(change: Partial<Settings>): void {
    for (const field of fields) {
      const value = change[field];
      if (value !== undefined) this.put(field, value);
    }
  }

  #keep(): void {
    if (this.settings === null) return;
    try {
      this.store?.setItem(KEY, JSON.stringify(this.settings));
    } catch {
      // A full or forbidden localStorage costs only the memory of the form.
    }
  }
}

export const fields = Object.keys(fieldNotes).filter(isField);

function isField(key: string): key is Field {
  return key in fieldNotes;
}
function copy(settings: Settings): Settings {
  return { ...settings, targets: [...settings.targets] };
}

function limit({ requirement }: { requirement: number }): string {
  return requirement.toLocaleString('en');
}

/** Names the field's limits and what was entered; the schema's own message only where there are no limits. */
function sentence(field: Field, value: Draft[Field], issue: Issue): string {
  const note = fieldNotes[field];
  if (value === null) return `${note.label} is empty. Enter a number or go back to the default.`;
  if (field === 'targets') return 'Choose at least one layer.';
  if (field === 'sequenceLength')
    return `${JSON.stringify(value)} is not allowed: it must be a multiple of 32 between 32 and 8,192.`;
  if (typeof value === 'number' && !Number.isInteger(value) && note.step === 1)
    return `${value} is not a whole number.`;
  const given = JSON.stringify(value);
  if (issue.type === 'min_value') return `${given} is too small: ${limit(issue)} is the least.`;
  if (issue.type === 'max_value') return `${given} is too large: ${limit(issue)} is the most.`;
  if (issue.type === 'gt_value') return `${given} is too small: it must be more than ${limit(issue)}.`;
  if (issue.type === 'lt_value') return `${given} is too large: it must be less than ${limit(issue)}.`;
  return `${given} is not allowed: ${issue.message}`;
}
