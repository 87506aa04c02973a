/** Where the person is: the part of the address after #/. The fragment never reaches a server. */
export const pages = ['start', 'data', 'train', 'try', 'adapters', 'benchmark'] as const;
export type Page = (typeof pages)[number];

export class Route {
  page: Page = $state('start');

  constructor(private readonly place: Location) {
    this.read();
  }

  read(): void {
    const name = this.place.hash.replace(/^#\/?/, '').split(/[/?]/)[0];
    this.page = pages.find((page) => page === name) ?? 'start';
  }

  go(page: Page): void {
    this.place.hash = page === 'start' ? '#/' : `#/${page}`;
    this.page = page;
  }
}
