/** The screen over fake remotes, for looking at: `npx vite`, then /tests/ui/harness/?show=running#/train. Not part of the app. */
import { mount } from 'svelte';
import '../../../src/app.css';
import App from '../../../src/ui/App.svelte';
import { facts, progress, storedItems, unfinished } from '../fakeModels';
import { FakeTrainer } from '../fakes';
import { adapter, evaluations, plan, run, steps } from '../samples/run';
import { screen } from '../mountable';

const show = new URLSearchParams(location.search).get('show') ?? 'fresh';
const trainer = new FakeTrainer();
if (show !== 'fresh')
  trainer.kept = [
    { ...adapter, manner: { kind: 'chat', system: 'You sort messages to a shop.', thinking: false } },
    {
      ...{ ...adapter, id: 'a2', name: 'From a colleague', origin: 'imported', runId: null },
      manner: { kind: 'completion', system: null, thinking: false },
      notes: ['Its files say that it was trained on Tiny Qwen, not on Tiny Llama.'],
    },
  ];
if (show !== 'fresh')
  trainer.known = [{ ...run, id: 'r2', name: 'banking77 · Tiny Qwen', status: 'unfinished', step: 24 }, run];
if (show === 'unfinished' || show === 'downloading') trainer.left = [unfinished];
const { session, props, channel } = screen(trainer);
const target = document.querySelector('#app');
if (target === null) throw new Error('The page has no #app.');
mount(App, { target, props });
await session.load();

if (show === 'locked')
  channel.onmessage?.(
    new MessageEvent('message', { data: { type: 'training', name: 'Records', step: 12, steps: 60 } }),
  );
const lesson = session.lessons.list[0];
if (lesson !== undefined && show === 'opened') await session.openLesson(lesson);
if (lesson !== undefined && ['running', 'finished', 'failed'].includes(show)) {
  const over = session.trainLesson(lesson);
  while (!trainer.calls.includes('train')) await new Promise((resolve) => setTimeout(resolve, 20));
  trainer.say({ type: 'planned', runId: 'r1', plan });
  const upTo = show === 'running' ? 37 : 60;
  for (const report of steps(upTo)) {
    trainer.say({ type: 'step', report });
    const checked = evaluations(60).find((one) => one.step === report.step);
    if (checked) trainer.say({ type: 'evaluated', report: checked });
    if (checked) trainer.say({ type: 'saved', step: checked.step, at: Date.now() - 12_000 });
  }
  if (show === 'failed')
    trainer.say({
      type: 'failed',
      failure: {
        kind: 'device-lost',
        message:
          'The GPU was lost at step 60, twice within two minutes. Close other programs that use it, then go on.',
        reason: 'unknown',
      },
    });
  if (show === 'finished')
    trainer.say({
      type: 'finished',
      reason: 'completed',
      adapterId: 'a1',
      best: evaluations(60).at(-1) ?? null,
      peakBytes: 10_900_000,
      seconds: 27,
    });
  if (show !== 'running') trainer.end();
  if (show !== 'running') await over;
  if (show === 'finished')
    await session.answers.ask({ modelId: 'tiny-llama', adapterId: 'a1' }, [
      { role: 'user', content: lesson.question },
    ]);
}
if (show === 'downloading') {
  void session.download({ repository: facts.repository, revision: 'main' }, 'q4');
  trainer.tell(progress(0.43));
}
if (show === 'found' || show === 'foreign') {
  session.lookup.repository = show === 'found' ? facts.repository : 'tiiuae/falcon-7b';
  await session.lookup.ask();
}
if (show === 'deleted' && storedItems[1] !== undefined) await session.keeping.remove(storedItems[1]);
document.body.dataset['shown'] = show;
