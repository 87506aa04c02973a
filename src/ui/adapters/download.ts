/** Has an adapter written and checked, then hands the file over. */
import type { AdaptersState } from '../../state/adapters.svelte';
import { save } from '../marks/save';

export async function download(adapters: AdaptersState, id: string): Promise<void> {
  const made = await adapters.export(id);
  if (made !== null) save(made.name, made.zip);
}
