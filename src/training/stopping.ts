/** Keeps the best held-out loss and says when to stop. Plain data, so that it is saved with a checkpoint. */
export interface Watch {
  bestLoss: number | null;
  bestStep: number;
  /** Checks since the last gain that was large enough. */
  without: number;
  /** The loss that the next gain is measured from. */
  mark: number | null;
}

export const freshWatch = (): Watch => ({ bestLoss: null, bestStep: 0, without: 0, mark: null });

/** `minimumGain` is relative; `patience` 0 never stops. */
export function watchLoss(
  watch: Watch,
  step: number,
  loss: number,
  { minimumGain, patience }: { minimumGain: number; patience: number },
): { watch: Watch; best: boolean; stop: boolean } {
  const best = watch.bestLoss === null || loss < watch.bestLoss;
  const gained = watch.mark === null || loss < watch.mark * (1 - minimumGain);
  const without = gained ? 0 : watch.without + 1;
  return {
    watch: {
      bestLoss: best ? loss : watch.bestLoss,
      bestStep: best ? step : watch.bestStep,
      without,
      mark: gained ? loss : watch.mark,
    },
    best,
    stop: patience > 0 && without >= patience,
  };
}
