/** A catalogue entry together with what this machine and the form make of it. */
import { candidateFrom, type Candidate } from '../../guide/candidate';
import { familyOf, type CatalogueModel } from '../../guide/catalogue';
import { CATALOGUE } from '../../guide/catalogueModels';
import type { Judgement, Verdict } from '../../guide/fit';
import type { Change } from '../../guide/fitChange';
import { suitedFormat } from '../../protocol/suitedFormat';
import type { WeightFormat } from '../../protocol/weightFormats';
import type { Fits } from '../../state/fits.svelte';

export interface Listed {
  model: CatalogueModel;
  candidate: Candidate;
  family: string;
  format: WeightFormat;
  /** Null until the machine is known. */
  fit: Judgement | null;
  change: () => Change | null;
}

const known = CATALOGUE.map((model) => ({
  model,
  candidate: candidateFrom(model.facts),
  family: familyOf(model),
}));

export const families: string[] = [...new Set(known.map(({ family }) => family))];

/** `chosen`: formats by repository, where the person chose another than the one that suits. */
export function listModels(fits: Fits, chosen: Partial<Record<string, WeightFormat>>): Listed[] {
  return known
    .map(({ model, candidate, family }) => {
      const format = chosen[model.id] ?? suitedFormat(candidate.parameters);
      return {
        model,
        candidate,
        family,
        format,
        fit: fits.of(candidate, format),
        change: () => fits.change(candidate, format),
      };
    })
    .toSorted((a, b) => a.candidate.parameters - b.candidate.parameters);
}

export type FitFilter = 'all' | 'fits' | 'not-no';

export function passes(verdict: Verdict | undefined, filter: FitFilter): boolean {
  if (filter === 'all' || verdict === undefined) return true;
  return filter === 'fits' ? verdict === 'fits' : verdict !== 'no';
}
