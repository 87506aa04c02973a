/** Light, dark, or what the system says. */
export type Choice = 'system' | 'light' | 'dark';
const KEY = 'loratory.theme';

export class Theme {
  choice: Choice = $state('system');
  /** Goes up when the colours may have changed, for drawings that cannot read CSS by themselves. */
  version = $state(0);

  constructor(
    private readonly root: HTMLElement,
    private readonly store: Pick<Storage, 'getItem' | 'setItem'> | null,
  ) {
    const kept = store?.getItem(KEY);
    if (kept === 'light' || kept === 'dark') this.choice = kept;
    this.#show();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.version++);
  }

  set(choice: Choice): void {
    this.choice = choice;
    this.#show();
    try {
      this.store?.setItem(KEY, choice);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }

  #show(): void {
    if (this.choice === 'system') delete this.root.dataset['theme'];
    else this.root.dataset['theme'] = this.choice;
    this.version++;
  }
}
