/** What a call comes to that can fail for a reason a person can mend. */
import type { Failure } from './events';

export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure };
