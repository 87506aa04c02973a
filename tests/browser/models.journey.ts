/** A model comes from a hub on the page's own address, through the built worker, into a real database: whole, in pieces, offline. */
import { expect } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import type { DownloadProgress } from '../../src/protocol/models';
import { synthetic } from '../hub/configs';
import { standInHub, type StandIn } from '../hub/standIn';
import { syntheticRepository } from '../hub/synthetic';
import { journey } from './app';
import { ask, installTrainer, storedHashes, toldTo, valueOf } from './trainerPort';

const REPOSITORY = 'tiny/Tiny-Qwen';
/** Several parts of 4 MiB. */
const made = syntheticRepository({
  ...synthetic(REPOSITORY),
  config: { ...synthetic(REPOSITORY).config, vocab_size: 65536, hidden_size: 256 },
});
const bytes = made.files.find(({ name }) => name === 'model.safetensors')?.bytes ?? NaN;

async function withHub(walk: (hub: StandIn, url: string) => Promise<void>): Promise<void> {
  const hub = await standInHub(async (name) => (name === REPOSITORY ? made : null), { redirects: false });
  const server = await serve({ port: 0, hub: (...request) => hub.answer(...request) });
  try {
    await walk(hub, server.url);
  } finally {
    await server.close();
    await hub.close();
  }
}

journey(
  'a model by its id is kept, and a tab that was closed on the way goes on byte-equal',
  async (visitor) => {
    await withHub(async (hub, url) => {
      const request = { repository: REPOSITORY, revision: 'main', hub: `${url}hub`, weightFormat: 'f16' };
      const first = await visitor.context.newPage();
      await first.goto(url);
      await installTrainer(first);
      const facts = valueOf(await ask(first, 'describeModel', [request]));
      expect(facts).toMatchObject({
        architecture: 'Qwen2ForCausalLM',
        unsupported: null,
        commit: made.commit,
      });
      hub.rate = 8e6;
      void ask(first, 'downloadModel', [request], 0).catch(() => undefined); // the tab is closed under it
      await expect
        .poll(async () => (await toldTo<DownloadProgress>(first, 0)).at(-1)?.value.bytesDone ?? 0, {
          timeout: 60_000,
        })
        .toBeGreaterThan(0.5 * bytes);
      await first.close();
      hub.rate = Infinity;

      const second = await visitor.context.newPage();
      await second.goto(url);
      await installTrainer(second);
      const [left] = valueOf(await ask(second, 'downloads', []));
      if (!left) throw new Error('Nothing is unfinished.');
      expect(left.bytesDone).toBeGreaterThan(0);
      hub.requests.length = 0;
      const end = valueOf(await ask(second, 'resumeDownload', [left.id, {}], 0));
      if (end.state !== 'kept') throw new Error(end.state);
      expect(hub.requests.at(-1)?.range).toBe(`bytes=${left.bytesDone}-${bytes - 1}`);
      const cut = await storedHashes(second, end.model.id);

      // the same without a break: deleted for good first
      valueOf(await ask(second, 'cancelDownload', [end.model.id]));
      await second.reload();
      await installTrainer(second);
      const whole = valueOf(await ask(second, 'downloadModel', [request], 1));
      if (whole.state !== 'kept') throw new Error(whole.state);
      expect(await storedHashes(second, whole.model.id)).toEqual(cut);

      // the hub is gone: the model answers all the same
      hub.always = { kind: 'status', status: 404 };
      hub.requests.length = 0;
      const sampling = { temperature: 0, topP: 1, seed: 1, maxTokens: 2 };
      const messages = [{ role: 'user', content: 'Hello' }];
      const answer = valueOf(
        await ask(second, 'answer', [{ modelId: whole.model.id, adapterId: null, messages, sampling }], 2),
      );
      expect(answer.tokens).toBeGreaterThan(0);
      expect(hub.requests).toEqual([]);
      expect(visitor.troubles).toEqual([]);
    });
  },
);

journey('a download pauses when asked and goes on', async ({ page, troubles }) => {
  await withHub(async (hub, url) => {
    await page.goto(url);
    await installTrainer(page);
    hub.rate = 8e6;
    const request = { repository: REPOSITORY, revision: 'main', hub: `${url}hub`, weightFormat: 'q4' };
    const ending = ask(page, 'downloadModel', [request], 0);
    await expect
      .poll(async () => (await toldTo<DownloadProgress>(page, 0)).at(-1)?.value.bytesDone ?? 0, {
        timeout: 60_000,
      })
      .toBeGreaterThan(0.2 * bytes);
    const id = (await toldTo<DownloadProgress>(page, 0)).at(-1)?.value.id ?? '';
    valueOf(await ask(page, 'pauseDownload', [id]));
    expect(valueOf(await ending)).toEqual({ state: 'paused', id });
    hub.rate = Infinity;
    const end = valueOf(await ask(page, 'resumeDownload', [id, {}], 1));
    expect(end.state).toBe('kept');
    expect(valueOf(await ask(page, 'downloads', []))).toEqual([]);
    expect(troubles).toEqual([]);
  });
});
