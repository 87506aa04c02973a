/** What a hub did instead of answering with what was asked for. The message says what, where and what to do next. */
import type { HubReason } from '../protocol/events';

export class HubError extends Error {
  override name = 'HubError';
  constructor(
    readonly reason: HubReason,
    message: string,
    readonly status: number | null = null,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** The person ended it: no fault of anyone. */
export class Ended extends Error {
  override name = 'Ended';
  constructor() {
    super('This download was ended.');
  }
}
