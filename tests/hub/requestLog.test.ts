/** The visible log of requests: every one of them, none of its secrets, and never more than the last ones. */
import { expect, it } from 'vitest';
import { RequestLog } from '../../src/hub/requestLog';

const url = (path: string) => new URL(path, 'https://huggingface.co');
const init = { headers: { Range: 'bytes=100-299', Authorization: 'Bearer hf_secret' } };

it('says who was asked for what, and what came; nothing of tokens and signatures', async () => {
  const log = new RequestLog();
  let answer: (response: Response) => void = () => undefined;
  const fetch = log.watch(() => new Promise((done) => (answer = done)));
  const waiting = fetch(url('/a/b/resolve/main/model.safetensors?signature=hf_signed'), init);
  expect(log.entries).toMatchObject([{ host: 'huggingface.co', bytes: 200, status: null }]);
  const response = new Response('x', { status: 206 });
  Object.defineProperty(response, 'url', { value: 'https://cas.hf.co/xyz?X-Signature=hf_signed' });
  answer(response);
  expect(await waiting).toBe(response);
  expect(log.entries).toEqual([
    {
      at: expect.any(Number) as number,
      host: 'cas.hf.co',
      path: '/a/b/resolve/main/model.safetensors',
      bytes: 200,
      status: 206,
    },
  ]);
  expect(JSON.stringify(log.entries)).not.toMatch(/hf_|Bearer|ignature/);
});

it('takes the length that an answer says, and tells when nobody answers', async () => {
  const log = new RequestLog();
  const headers = { 'content-length': '659' };
  await log.watch(async () => new Response('x', { headers }))(url('/config.json'), {});
  const failing = log.watch(() => Promise.reject(new TypeError('Failed to fetch')));
  await expect(failing(url('/gone'), {})).rejects.toThrow('Failed to fetch');
  expect(log.entries).toMatchObject([
    { path: '/gone', bytes: null, status: 'no answer' },
    { path: '/config.json', bytes: 659, status: 200 },
  ]);
});

it('keeps the last 200', async () => {
  const log = new RequestLog();
  const fetch = log.watch(async () => new Response('x'));
  for (let i = 0; i < 250; i++) await fetch(url(`/${i}`), {});
  expect(log.entries.length).toBe(200);
  expect([log.entries[0]?.path, log.entries.at(-1)?.path]).toEqual(['/249', '/50']);
});
