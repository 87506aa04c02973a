/**
 * The settings as a link: what one made here would carry, and one that was opened, laid beside what stands here. An opened link
 * changes, fetches and starts nothing; it is taken over when the person says so.
 */
import { LinkError } from '../link/linkError';
import { readLink, writeLink, type LinkedModel, type SettingsLink } from '../link/settingsLink';
import { DEFAULT_HUB, type ModelSummary } from '../protocol/models';
import type { Failure } from '../protocol/events';
import type { WeightFormat } from '../protocol/weightFormats';
import type { DataState } from './data.svelte';
import { failureFrom } from './failure';
import { fields, type Field, type FormState } from './form.svelte';
import type { Lesson, LessonsState } from './lessons.svelte';
import type { ModelsState } from './models.svelte';
import type { Preferences } from './preferences.svelte';

export interface Linked {
  readonly form: FormState;
  readonly models: ModelsState;
  readonly lessons: LessonsState;
  readonly data: DataState;
  readonly preferences: Preferences;
  /** The page's own address. */
  readonly origin: string;
  readonly openLesson: (lesson: Lesson) => Promise<boolean>;
}

export class LinkState {
  /** `applied`: taken over, and said so until the person goes on. */
  phase: 'none' | 'review' | 'applied' = $state('none');
  opened = $state.raw<SettingsLink | null>(null);
  /** Why the address that was opened is no link. */
  fault = $state.raw<LinkError | null>(null);
  failure = $state.raw<Failure | null>(null);
  applying = $state(false);
  #ticket = 0;

  constructor(private readonly around: Linked) {}

  /** What a link made now would carry; null while a field of the form is wrong. */
  current: SettingsLink | null = $derived.by(() => {
    const { settings } = this.around.form;
    if (settings === null) return null;
    const { selected } = this.around.models;
    const model = selected === null ? null : this.#linked(selected);
    const lesson = this.around.lessons.chosen?.id;
    return {
      settings,
      ...(model === null ? {} : { model }),
      ...(lesson === undefined ? {} : { lesson }),
    };
  });

  /** Model and lessons are still being looked for. */
  looking: boolean = $derived.by(
    () => this.around.models.phase === 'loading' || this.around.lessons.phase === 'loading',
  );
  /** The link's model as it is on this machine: the same weights in the same form. */
  here: ModelSummary | null = $derived.by(() => {
    const { list } = this.around.models;
    return list.find((one) => this.#isLinked(one)) ?? null;
  });
  /** The repository of the link's model is here, at another commit or in another form. */
  near: ModelSummary | null = $derived.by(() => {
    const model = this.opened?.model;
    if (model?.from !== 'hub' || this.here !== null) return null;
    return this.around.models.list.find(({ origin }) => origin?.repository === model.repository) ?? null;
  });
  /** The link's lesson as this page has it. */
  lesson: Lesson | null = $derived.by(
    () => this.around.lessons.list.find(({ id }) => id === this.opened?.lesson) ?? null,
  );

  otherModel: boolean = $derived.by(
    () =>
      this.opened?.model !== undefined && (this.here === null || this.here !== this.around.models.selected),
  );
  otherLesson: boolean = $derived.by(
    () => this.opened?.lesson !== undefined && this.opened.lesson !== this.around.lessons.chosen?.id,
  );
  /** A mirror the link names, where its model has to be fetched and another hub is set here. */
  otherHub: string | null = $derived.by(() => {
    const model = this.opened?.model;
    if (model?.from !== 'hub' || model.hub === undefined || this.here !== null) return null;
    return model.hub === this.around.preferences.hub ? null : model.hub;
  });
  /** The form that the model trained after applying is kept in, where the link has another: it cannot be had. */
  keptAs: WeightFormat | null = $derived.by(() => {
    const kept = (this.here ?? this.around.models.selected)?.weightFormat ?? null;
    return kept === this.opened?.settings.weightFormat ? null : kept;
  });
  differing: Field[] = $derived.by(() => {
    const { opened, keptAs } = this;
    if (opened === null) return [];
    const { draft } = this.around.form;
    return fields.filter(
      (field) =>
        !(field === 'weightFormat' && keptAs !== null) &&
        JSON.stringify(draft[field]) !== JSON.stringify(opened.settings[field]),
    );
  });
  /** Applying would change something. */
  applicable: boolean = $derived.by(
    () =>
      this.differing.length > 0 ||
      this.otherHub !== null ||
      (this.otherModel && this.here !== null) ||
      (this.otherLesson && this.lesson !== null),
  );

  /** The part of the address after "with=". Throws a LinkError where something here may not travel. */
  async write(link: SettingsLink): Promise<string> {
    return writeLink(link, this.around.origin);
  }

  /** Reads what an address brought and lays it open for review. */
  async open(fragment: string | null): Promise<void> {
    if (fragment === null) return;
    const ticket = ++this.#ticket;
    try {
      const opened = await readLink(fragment, this.around.origin);
      if (ticket !== this.#ticket) return;
      this.close();
      this.opened = opened;
      this.phase = 'review';
    } catch (thrown) {
      if (ticket !== this.#ticket) return;
      this.close();
      if (thrown instanceof LinkError) this.fault = thrown;
      else this.failure = failureFrom(thrown, 'Reading the link');
    }
  }

  /** Takes over what the link has; the lesson comes first, since it brings settings of its own. Nothing is applied if it fails. */
  async apply(): Promise<void> {
    const { opened, here, lesson, otherHub } = this;
    const { form, models, lessons, data, preferences } = this.around;
    if (opened === null || this.applying) return;
    this.failure = null;
    if (this.otherLesson && lesson !== null) {
      this.applying = true;
      const arrived = await this.around.openLesson(lesson);
      this.applying = false;
      if (!arrived) {
        this.failure = lessons.failure ?? data.failure;
        return;
      }
    }
    if (otherHub !== null) preferences.setHub(otherHub);
    if (here !== null) models.select(here.id);
    form.apply(opened.settings);
    if (models.selected !== null) form.suit(models.selected);
    this.phase = 'applied';
  }

  /** Keeps what stands here and forgets the link. */
  close(): void {
    this.#ticket++;
    this.phase = 'none';
    this.opened = null;
    this.fault = null;
    this.failure = null;
  }

  /** Null for a model that came from files or from training: no other machine could find it. */
  #linked({ id, source, origin }: ModelSummary): LinkedModel | null {
    if (source === 'embedded') return { from: 'page', id };
    if (origin === null) return null;
    const { hub } = this.around.preferences;
    const { repository, commit } = origin;
    return { from: 'hub', repository, commit, ...(hub === DEFAULT_HUB ? {} : { hub }) };
  }

  #isLinked({ id, source, origin, weightFormat }: ModelSummary): boolean {
    const { model, settings } = this.opened ?? {};
    if (model === undefined) return false;
    if (model.from === 'page') return source === 'embedded' && id === model.id;
    return (
      origin?.repository === model.repository &&
      origin.commit === model.commit &&
      (weightFormat === null || weightFormat === settings?.weightFormat)
    );
  }
}
