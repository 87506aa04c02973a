/** A catalogue entry together with what this machine and the form make of it. */
import { candidateFrom, type Candidate } from '../../guide/candidate';
import { catalogue, type CatalogueModel } from '../../guide/catalogue';
import type { Fit, Verdict } from '../../guide/fit';
import type { Change } from '../../guide/fitChange';
import { suitedFormat } from '../../protocol/suitedFormat';
import type { WeightFormat } from '../../protocol/weightFormats';
import type { Fits } from '../../state/fits.svelte';

export interface Listed {
  model: CatalogueModel;
  candidate: Candidate;
  format: WeightFormat;
  /** Null until the machine is known. */
  fit: Fit | null;
  change: () => Change | null;
}

const known = catalogue.map((model) => ({ model, candidate: candidateFrom(model.config) }));

export const families: string[] = [...new Set(catalogue.map(({ family }) => family))];

/** `chosen`: formats by repository, where the person chose another than the one that suits. */
export function listModels(fits: Fits, chosen: Partial<Record<string, WeightFormat>>): Listed[] {
  return known
    .map(({ model, candidate }) => {
      const format = chosen[model.repository] ?? suitedFormat(candidate.parameters);
      return {
        model,
        candidate,
        format,
        fit: fits.of(candidate, format),
        change: () => fits.change(candidate, format),
      };
    })
    .toSorted((a, b) => a.model.parameters - b.model.parameters);
}

export type FitFilter = 'all' | 'fits' | 'not-no';

export function passes(verdict: Verdict | undefined, filter: FitFilter): boolean {
  if (filter === 'all' || verdict === undefined) return true;
  return filter === 'fits' ? verdict === 'fits' : verdict !== 'no';
}
