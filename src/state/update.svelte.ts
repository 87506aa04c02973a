/** Whether a new version waits and whether this one works offline. Reloads only when told to. */
export class Update {
  waiting = $state(false);
  offlineReady = $state(false);
  #reload: (() => Promise<void>) | null = null;

  /** How to take the new version over. */
  arm(reload: () => Promise<void>): void {
    this.#reload = reload;
  }

  take(): void {
    void this.#reload?.();
  }
}
