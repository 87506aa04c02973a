/** How a run shows outside the page: tab title, wake lock, the question before leaving, and the two pause keys. */
import { pageNames, type Route } from '../../state/route.svelte';
import type { Session } from '../../state/session.svelte';
import type { Elsewhere } from '../../state/elsewhere.svelte';
import { percentDone } from '../numbers';

/** Called once while the app's root component is set up. */
export function followRun(session: Session, elsewhere: Elsewhere, route: Route): void {
  const { run, job } = session;

  $effect(() => {
    document.title = [...standing(session), pageNames[route.page], 'Loratory'].join(' · ');
  });

  $effect(() => {
    if (run.active) elsewhere.tell(run.subject?.name ?? '', run.step, run.total);
    else elsewhere.over();
  });

  const training = $derived(run.active && run.phase !== 'paused');
  $effect(() => {
    if (!training) return;
    return keepAwake();
  });

  const unsaved = $derived(run.unsaved > 0);
  $effect(() => {
    if (!unsaved) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  });

  $effect(() => {
    if (!run.active) return;
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key !== ' ' && event.key.toLowerCase() !== 'k') return;
      if (
        event.target instanceof Element &&
        event.target.closest('input, select, textarea, button, a, summary, label')
      )
        return;
      event.preventDefault();
      void job.toggle();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });
}

/** What is under way, in the parts of a title. */
function standing({ run, scoring, downloads }: Session): string[] {
  if (run.phase === 'failed') return ['Stopped'];
  if (run.active && run.latest !== null) {
    const paused = run.phase === 'paused' ? ['paused'] : [];
    return [...paused, percentDone(run.share), `loss ${run.latest.loss.toFixed(2)}`];
  }
  if (run.active) return ['Starting'];
  if (scoring.phase === 'scoring') return [`Scoring ${scoring.done} of ${scoring.of}`];
  const arriving = downloads.arriving[0];
  if (arriving === undefined) return [];
  const name = arriving.name.split('/').at(-1) ?? '';
  return downloads.share === null ? [name] : [percentDone(downloads.share), name];
}

/** Holds a wake lock; the browser drops it when the page is hidden, so it is taken again. Returns the way to end it. */
function keepAwake(): () => void {
  let lock: WakeLockSentinel | null = null;
  let over = false;
  const take = async (): Promise<void> => {
    if (document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return;
    try {
      const taken = await navigator.wakeLock.request('screen');
      if (over) await taken.release();
      else lock = taken;
    } catch {
      // Refused on low battery or by policy: training goes on, only the screen may sleep.
    }
  };
  const again = (): void => void take();
  document.addEventListener('visibilitychange', again);
  again();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', again);
    void lock?.release();
  };
}
