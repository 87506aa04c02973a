/** Where the person is: the part of the address after #/. The fragment never reaches a server. */
export const pages = ['start', 'models', 'data', 'train', 'try', 'adapters', 'storage', 'benchmark'] as const;
export type Page = (typeof pages)[number];
export const pageNames: Record<Page, string> = {
  start: 'Start',
  models: 'Models',
  data: 'Data',
  train: 'Train',
  try: 'Try',
  adapters: 'Adapters',
  storage: 'Storage',
  benchmark: 'Benchmark',
};

/** The address of the Train page with a settings link to review; see `link/settingsLink.ts`. */
export const trainWith = (fragment: string): string => `#/train?with=${fragment}`;

export class Route {
  page: Page = $state('start');
  /** What stands after "with=" in the address, as it is; null where nothing does. */
  brought: string | null = $state(null);

  constructor(private readonly place: Location) {
    this.read();
  }

  read(): void {
    const [path = '', ...query] = this.place.hash.replace(/^#\/?/, '').split('?');
    const name = path.split('/')[0];
    this.page = pages.find((page) => page === name) ?? 'start';
    const given = query.join('?');
    this.brought = this.page === 'train' && given.startsWith('with=') ? given.slice(5) : null;
  }

  go(page: Page): void {
    this.place.hash = page === 'start' ? '#/' : `#/${page}`;
    this.page = page;
  }

  /** Takes a link that was dealt with out of the address, so that a reload or the way back does not bring it again. */
  dropLink(): void {
    if (this.brought === null) return;
    this.place.replace(`#/${this.page}`);
    this.brought = null;
  }
}
