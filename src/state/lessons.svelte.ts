/** The embedded lessons: a small list beside the app, each with its data file and the settings that suit it. */
import * as v from 'valibot';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

const lessonSchema = v.object({
  id: v.string(),
  title: v.string(),
  summary: v.string(),
  file: v.string(),
  models: v.optional(v.array(v.string())),
  settings: v.record(v.string(), v.unknown()),
  question: v.string(),
});
export type Lesson = v.InferOutput<typeof lessonSchema>;

const KEY = 'loratory.lesson';

export class LessonsState {
  list = $state.raw<Lesson[]>([]);
  phase: 'loading' | 'ready' | 'failed' = $state('loading');
  failure = $state.raw<Failure | null>(null);
  chosen = $state.raw<Lesson | null>(null);
  /** Id of the lesson that the visit before ended with. */
  #last: string | null;

  constructor(
    private readonly get: (path: string) => Promise<Response>,
    private readonly store: Pick<Storage, 'getItem' | 'setItem'> | null,
    private readonly folder = './demo/',
  ) {
    this.#last = store?.getItem(KEY) ?? null;
  }

  /** Null where it ended with another file, or with nothing open. */
  get ofLastVisit(): Lesson | null {
    return this.list.find(({ id }) => id === this.#last) ?? null;
  }

  /** Null for data that is no lesson's. */
  choose(lesson: Lesson | null): void {
    this.chosen = lesson;
    try {
      this.store?.setItem(KEY, lesson?.id ?? '');
    } catch {
      // A full or forbidden localStorage costs only the next visit's lesson.
    }
  }

  async load(): Promise<void> {
    try {
      this.list = v.parse(v.array(lessonSchema), await (await this.#fetch('lessons.json')).json());
      this.phase = 'ready';
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Loading the list of lessons');
      this.phase = 'failed';
    }
  }

  /** The lesson's data as the file it is, so that it takes the same way as a file of one's own. */
  async file(lesson: Lesson): Promise<File | null> {
    try {
      const blob = await (await this.#fetch(lesson.file)).blob();
      return new File([blob], lesson.file.split('/').at(-1) ?? lesson.file);
    } catch (thrown) {
      this.failure = failureFrom(thrown, `Loading the lesson ${lesson.title}`);
      return null;
    }
  }

  async #fetch(name: string): Promise<Response> {
    const response = await this.get(this.folder + name);
    if (!response.ok) throw new Error(`${name} answered ${response.status}`);
    return response;
  }
}
