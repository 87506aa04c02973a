/** What a shape of row is: how it is recognised and how one row of it is read. */
import type { Lesson } from '../example';
import type { Row } from '../record';
import type { Read } from '../turns';

export interface Shape {
  /** For people, e.g. "Chat messages (OpenAI, ChatML)". */
  name: string;
  /** What was guessed, for people; absent where nothing was. */
  note?: string;
  matches(row: Row): boolean;
  read(row: Row): Read<Lesson>;
}

/** A shape that is known but holds something this trainer does not learn from. */
export interface RefusedShape {
  name: string;
  matches(row: Row): boolean;
  /** Why, and the next move. */
  why: string;
}
