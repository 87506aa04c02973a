/**
 * What a settings link carries from one machine to another: the settings of a run, which model, which lesson. Never data, never
 * a token. Written by the page, read from anyone, so reading takes nothing that writing could not have made.
 */
import * as v from 'valibot';
import { parseStrictJson } from '../checkpoint/strictJson';
import { checkRepository, hubBase } from '../hub/address';
import { DEFAULT_HUB } from '../protocol/models';
import { fieldNotes } from '../protocol/settingNotes';
import { defaultSettings, settingsSchema, TARGETS } from '../protocol/settings';
import { fromFragment, toFragment } from './fragment';
import { LinkError, quoted } from './linkError';

export const LINK_VERSION = 1;
const MAX_DEPTH = 4;

const id = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'it is not an id'));
/** A check that throws, as one of the schema's; `message` says what would have passed it. */
const passes = (check: (text: string) => void, message: string) =>
  v.check<string, string>((text) => {
    try {
      check(text);
      return true;
    } catch {
      return false;
    }
  }, message);

/** `origin`: the page's own, from which a mirror may be served. */
const schemaFor = (origin: string) =>
  v.strictObject({
    version: v.literal(LINK_VERSION),
    settings: settingsSchema,
    model: v.optional(
      v.variant('from', [
        v.strictObject({ from: v.literal('page'), id }),
        v.strictObject({
          from: v.literal('hub'),
          repository: v.pipe(
            v.string(),
            passes(checkRepository, 'a repository looks like Qwen/Qwen2.5-0.5B-Instruct'),
          ),
          /** A commit never changes, so all who open the link start from the same weights. */
          commit: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/, 'it is not a commit')),
          /** A mirror on the page's own address; absent: the hub that is set there. */
          hub: v.optional(
            v.pipe(
              v.string(),
              v.regex(/^https?:\/\//, 'it is not an address'),
              passes(
                (address) => void hubBase(address, origin),
                `models come from ${DEFAULT_HUB} or from a mirror on this page’s own address, ${origin}`,
              ),
            ),
          ),
        }),
      ]),
    ),
    lesson: v.optional(id),
  });

/** The form the weights have is `settings.weightFormat`. Without a model the choice is left to whoever opens the link. */
export type SettingsLink = Omit<v.InferOutput<ReturnType<typeof schemaFor>>, 'version'>;
export type LinkedModel = NonNullable<SettingsLink['model']>;

/** The link's part of an address, about 500 characters. Throws a LinkError rather than write what `readLink` refuses. */
export async function writeLink(link: SettingsLink, origin: string): Promise<string> {
  const checked = check({ version: LINK_VERSION, ...link }, origin);
  return toFragment(JSON.stringify({ version: LINK_VERSION, ...checked }));
}

/** Throws a LinkError. A setting that the link does not name has its default, as in lessons. */
export async function readLink(fragment: string, origin: string): Promise<SettingsLink> {
  const text = await fromFragment(fragment);
  let value: unknown;
  try {
    value = parseStrictJson(text, { maxDepth: MAX_DEPTH });
  } catch (cause) {
    const reason = cause instanceof Error ? quoted(cause.message) : '';
    throw new LinkError(
      `What the link holds is not a list of settings: ${reason}.`,
      'the link',
      undefined,
      cause,
    );
  }
  return check(value, origin);
}

function check(value: unknown, origin: string): SettingsLink {
  if (!isRecord(value)) throw new LinkError('What the link holds is not a list of settings.', 'the link');
  const { version, settings } = value;
  if (version !== LINK_VERSION)
    throw new LinkError(
      `The link is of version ${quoted(JSON.stringify(version) ?? 'none')}; this page reads version ${LINK_VERSION}.`,
      'version',
      'Reload the page to have its newest version, or ask for a link made with this one.',
    );
  if (!isRecord(settings)) throw new LinkError('The link has no list of settings.', 'settings');
  const whole = { ...value, settings: { ...defaultSettings, ...settings } };
  const result = v.safeParse(schemaFor(origin), whole, { abortEarly: true });
  if (!result.success) throw fault(result.issues[0]);
  const { version: _, ...link } = result.output;
  // One order and no layer twice, as the form writes them.
  const targets = TARGETS.filter((target) => link.settings.targets.includes(target));
  return { ...link, settings: { ...link.settings, targets } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** For a link that was put together wrongly, not cut. */
const MAKE_ANEW = 'Ask for a new link, made with the button on the Train page.';

const isSetting = (key: unknown) => v.is(v.keyof(settingsSchema), key);

/** One wrong field as a sentence with its name, what stood there and what is wrong with it. */
function fault({ path, expected, input, message }: v.BaseIssue<unknown>): LinkError {
  const keys = (path ?? []).map(({ key }) => key);
  const where = keys.map((key) => quoted(String(key))).join('.') || 'the link';
  const last = keys.at(-1);
  if (expected === 'never')
    return new LinkError(
      `The link has an entry that no link has: “${quoted(String(last))}”.`,
      where,
      MAKE_ANEW,
    );
  const name = isSetting(last) && keys[0] === 'settings' ? fieldNotes[last].label : quoted(String(last));
  const found = typeof input === 'number' ? String(input) : (JSON.stringify(input) ?? 'left out');
  return new LinkError(`“${name}” cannot be ${quoted(found)}: ${quoted(message, 200)}.`, where, MAKE_ANEW);
}
