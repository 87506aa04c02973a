/** A settings link comes back as it was written, and whatever else stands in its place is refused with one clear reason. */
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_BYTES, MAX_CHARACTERS, toFragment } from '../../src/link/fragment';
import { LinkError } from '../../src/link/linkError';
import { LINK_VERSION, readLink, writeLink, type SettingsLink } from '../../src/link/settingsLink';
import { defaultSettings, TARGETS } from '../../src/protocol/settings';
import { WEIGHT_FORMATS } from '../../src/protocol/weightFormats';

const ORIGIN = 'https://school.example';
const COMMIT = '7ae557604adf67be50417f59c2c2f167def9a775';
const qwen = { from: 'hub', repository: 'Qwen/Qwen2.5-0.5B-Instruct', commit: COMMIT } as const;
const whole: SettingsLink = { settings: defaultSettings, model: qwen, lesson: 'shop-messages' };

/** Rates between two bounds; JSON has no −0, so neither do they. */
const rates = (min: number, max: number) =>
  fc.double({ min, max, noNaN: true, maxExcluded: true }).map((rate) => rate + 0);
const counts = (min: number, max: number) => fc.integer({ min, max });
const settings: fc.Arbitrary<SettingsLink['settings']> = fc.record({
  method: fc.constantFrom('lora', 'full'),
  rank: counts(1, 256),
  alpha: counts(1, 1024),
  rslora: fc.boolean(),
  dropout: rates(0, 0.5),
  targets: fc.subarray([...TARGETS], { minLength: 1 }),
  learningRate: rates(Number.MIN_VALUE, 1),
  schedule: fc.constantFrom('cosine', 'linear', 'constant'),
  warmupSteps: counts(0, 10_000),
  weightDecay: rates(0, 0.5),
  beta1: rates(0, 1),
  beta2: rates(0, 1),
  epsilon: rates(Number.MIN_VALUE, 1e300),
  clip: rates(0, 1e300),
  epochs: counts(1, 1000),
  maxSteps: counts(0, 1_000_000),
  batchExamples: counts(1, 512),
  sequenceLength: counts(1, 256).map((blocks) => 32 * blocks),
  mask: fc.constantFrom('assistant', 'last-answer', 'all'),
  evaluateEvery: counts(1, 100_000),
  patience: counts(0, 100),
  minimumGain: rates(0, 1),
  weightFormat: fc.constantFrom(...WEIGHT_FORMATS),
  keptLayers: counts(0, 1000),
  halfInputs: fc.boolean(),
  seed: counts(0, 2 ** 31 - 1),
});
const ids = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/);
const links: fc.Arbitrary<SettingsLink> = fc.record(
  {
    settings,
    model: fc.oneof(
      fc.record({ from: fc.constant('page' as const), id: ids }),
      fc.record(
        {
          from: fc.constant('hub' as const),
          repository: fc.stringMatching(/^[A-Za-z0-9]{1,30}\/[A-Za-z0-9]{1,30}([._-][A-Za-z0-9]{1,9}){0,3}$/),
          commit: fc.stringMatching(/^[0-9a-f]{40}$/),
          hub: fc.constantFrom('https://huggingface.co', `${ORIGIN}/mirror`),
        },
        { requiredKeys: ['from', 'repository', 'commit'] },
      ),
    ),
    lesson: ids,
  },
  { requiredKeys: ['settings'] },
);

describe('a link that was written here', () => {
  it('says the same when it is read, and fits an address', async () => {
    await fc.assert(
      fc.asyncProperty(links, async (link) => {
        const fragment = await writeLink(link, ORIGIN);
        expect(fragment).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(fragment.length).toBeLessThan(MAX_CHARACTERS / 2);
        expect(await readLink(fragment, ORIGIN)).toEqual(link);
      }),
    );
  });

  it('is short: the defaults, a model of the hub and a lesson take fewer than 650 characters', async () => {
    expect((await writeLink(whole, ORIGIN)).length).toBeLessThan(650);
  });

  it('is not written with what reading would refuse', async () => {
    const wrong = { ...whole, settings: { ...defaultSettings, learningRate: NaN } };
    await expect(writeLink(wrong, ORIGIN)).rejects.toThrow(LinkError);
    const foreign = { ...whole, model: { ...qwen, hub: 'https://elsewhere.example' } };
    await expect(writeLink(foreign, ORIGIN)).rejects.toThrow(/“hub” cannot be .*elsewhere/);
  });

  it('may be read where a setting is missing: it has its default there', async () => {
    const fragment = await toFragment('{"version":1,"settings":{"rank":8}}');
    expect(await readLink(fragment, ORIGIN)).toEqual({ settings: { ...defaultSettings, rank: 8 } });
  });

  it('names a layer once, in the order of the form', async () => {
    const fragment = await toFragment('{"version":1,"settings":{"targets":["v_proj","q_proj","v_proj"]}}');
    expect((await readLink(fragment, ORIGIN)).settings.targets).toEqual(['q_proj', 'v_proj']);
  });
});

async function refusal(fragment: string): Promise<LinkError> {
  const fault: unknown = await readLink(fragment, ORIGIN).catch((error: unknown) => error);
  if (!(fault instanceof LinkError)) throw new Error(`Not refused with a LinkError but: ${String(fault)}`);
  // Each says what, where and the next move, and repeats no page of foreign text.
  for (const part of [fault.what, fault.where, fault.next]) expect(part).toMatch(/^.{3,320}$/);
  return fault;
}
/** A link whose text differs from a good one in one place. */
const altered = (from: string, to: string): Promise<string> => {
  const good = JSON.stringify({ version: LINK_VERSION, ...whole });
  expect(good).toContain(from);
  return toFragment(good.replace(from, to));
};

describe('as an address it is refused', () => {
  it('when it is a megabyte long, without unpacking it', async () => {
    expect((await refusal('A'.repeat(2 ** 20))).what).toBe(
      'The link is 1048576 characters long; one made here has at most 4096.',
    );
  });
  it('when it is empty, cut by a character, or holds a stranger', async () => {
    expect((await refusal('')).what).toContain('empty');
    expect((await refusal('AAAAA')).what).toContain('cut short');
    expect((await refusal('AAA+')).what).toBe('Character 4 of the link cannot stand there: “+”.');
  });
  it('when it is cut in the middle, or was never packed', async () => {
    const good = await writeLink(whole, ORIGIN);
    expect((await refusal(good.slice(0, 200))).what).toContain('cannot be unpacked');
    expect((await refusal(btoa('hello!!').replace(/=+$/, ''))).what).toContain('cannot be unpacked');
  });
  it('when a few characters unpack to two megabytes', async () => {
    const bomb = deflateRawSync(new Uint8Array(2 ** 21)).toString('base64url');
    expect(bomb.length).toBeLessThan(MAX_CHARACTERS);
    expect((await refusal(bomb)).what).toBe(
      `Unpacked the link is larger than ${MAX_BYTES} bytes; one made here has about 600.`,
    );
  });
  it('when what it holds is not UTF-8', async () => {
    const bytes = deflateRawSync(Uint8Array.of(0x7b, 0xff, 0x7d)).toString('base64url');
    expect((await refusal(bytes)).what).toBe('What the link holds is not text.');
  });
});

describe('by what it says it is refused', () => {
  it.each([
    ['words', 'hello', 'the link', /not a list of settings/],
    ['a list', '[]', 'the link', /not a list of settings/],
    ['nothing', 'null', 'the link', /not a list of settings/],
    ['no version', '{"settings":{}}', 'version', /version none; this page reads version 1/],
    ['a later version', '{"version":2,"settings":{}}', 'version', /version 2; this page reads version 1/],
    ['no settings', '{"version":1}', 'settings', /no list of settings/],
    ['settings that are a list', '{"version":1,"settings":[]}', 'settings', /no list of settings/],
    ['a depth that no link has', `{"version":1,"settings":${'['.repeat(999)}`, 'the link', /deeper than 4/],
    ['a key twice', '{"version":1,"version":1,"settings":{}}', 'the link', /occurs twice/],
  ])('%s', async (_, text, where, what) => {
    const fault = await refusal(await toFragment(text));
    expect(fault.where).toBe(where);
    expect(fault.what).toMatch(what);
  });

  it.each([
    ['a rate that is NaN', '"learningRate":0.0002', '"learningRate":NaN', 'the link', /not a list of/],
    [
      'a rate that is the word NaN',
      '"learningRate":0.0002',
      '"learningRate":"NaN"',
      'settings.learningRate',
      /^“Learning rate” cannot be "NaN"/,
    ],
    [
      'a rate past every number',
      '"learningRate":0.0002',
      '"learningRate":1e999',
      'settings.learningRate',
      /^“Learning rate” cannot be Infinity/,
    ],
    [
      'a rate of nothing',
      '"learningRate":0.0002',
      '"learningRate":null',
      'settings.learningRate',
      /^“Learning rate” cannot be null/,
    ],
    ['a rate below zero', '"learningRate":0.0002', '"learningRate":-1', 'settings.learningRate', /-1/],
    [
      'a length that is no multiple of 32',
      '"sequenceLength":256',
      '"sequenceLength":250',
      'settings.sequenceLength',
      /250/,
    ],
    ['a rank past the limit', '"rank":16', '"rank":1e9', 'settings.rank', /1000000000/],
    ['no layers', `"targets":${JSON.stringify(TARGETS)}`, '"targets":[]', 'settings.targets', /Adapted/],
    ['an unknown layer', '"q_proj"', '"lm_head"', 'settings.targets.0', /lm_head/],
    ['an unknown setting', '"rank":16', '"rank":16,"token":"hf_1"', 'settings.token', /no link has: “token”/],
    ['an unknown entry', '"version":1', '"version":1,"data":"x"', 'data', /no link has: “data”/],
    ['a token', `"commit":"${COMMIT}"`, `"commit":"${COMMIT}","token":"hf_1"`, 'model.token', /“token”/],
    ['__proto__', '"rank":16', '"rank":16,"__proto__":{"rank":1}', 'the link', /"__proto__"/],
    ['__proto__ in escapes', '"rank":16', '"rank":16,"\\u005f_proto__":{}', 'the link', /"__proto__"/],
    ['constructor', '"rank":16', '"rank":16,"constructor":{}', 'settings.constructor', /“constructor”/],
    ['toString at the top', '"version":1', '"version":1,"toString":1', 'toString', /“toString”/],
    ['a model from nowhere', '"from":"hub"', '"from":"web"', 'model.from', /web/],
    [
      'a script as the repository',
      '"Qwen/Qwen2.5-0.5B-Instruct"',
      '"javascript:alert(1)"',
      'model.repository',
      /javascript:alert\(1\)/,
    ],
    [
      'an address as the repository',
      '"Qwen/Qwen2.5-0.5B-Instruct"',
      '"https://elsewhere.example/a/b"',
      'model.repository',
      /elsewhere/,
    ],
    ['a way upwards', '"Qwen/Qwen2.5-0.5B-Instruct"', '"../secrets"', 'model.repository', /secrets/],
    ['a branch, which moves', `"${COMMIT}"`, '"main"', 'model.commit', /not a commit/],
    [
      'a script as the hub',
      `"${COMMIT}"`,
      `"${COMMIT}","hub":"javascript:alert(1)"`,
      'model.hub',
      /javascript:alert\(1\)/,
    ],
    [
      'a foreign hub',
      `"${COMMIT}"`,
      `"${COMMIT}","hub":"https://elsewhere.example"`,
      'model.hub',
      /come from https:\/\/huggingface\.co or from a mirror .*, https:\/\/school\.example\.$/,
    ],
    [
      'a hub that only begins like ours',
      `"${COMMIT}"`,
      `"${COMMIT}","hub":"https://huggingface.co.elsewhere.example"`,
      'model.hub',
      /mirror/,
    ],
    [
      'a hub with a password',
      `"${COMMIT}"`,
      `"${COMMIT}","hub":"https://me:secret@huggingface.co"`,
      'model.hub',
      /mirror/,
    ],
    ['a lesson with a path', '"shop-messages"', '"../shop"', 'lesson', /\.\.\/shop/],
  ])('%s', async (_, from, to, where, what) => {
    const fault = await refusal(await altered(from, to));
    expect(fault.where).toBe(where);
    expect(fault.what).toMatch(what);
    expect(fault.next).toContain(where === 'the link' ? 'copy it whole' : 'a new link');
  });

  it('and nothing invisible or endless is repeated from it', async () => {
    const fault = await refusal(
      await altered('"shop-messages"', JSON.stringify(`\u202Eevil\u200B${'x'.repeat(9000)}`)),
    );
    expect(fault.message).not.toMatch(/[\u202E\u200B]/);
    expect(fault.message.length).toBeLessThan(400);
  });

  it('whatever the address holds, it is read or refused and never throws anything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 300 }), fc.boolean(), async (text, packed) => {
        await refusal(packed ? await toFragment(text) : text);
      }),
    );
  });
});
