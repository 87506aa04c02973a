/** For threads that read what people bring and never touch the GPU: failures cross as data. */
import { DataProblem, UnknownColumns } from '../src/dataset/problem';
import type { Result } from '../src/protocol/result';

/** What a person can mend is bad input, anything else our own fault. */
export async function attemptData<T>(work: () => T | Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof DataProblem)) return { ok: false, failure: { kind: 'internal', message } };
    const columns = error instanceof UnknownColumns ? { columns: error.columns } : {};
    return { ok: false, failure: { kind: 'bad-input', message, ...columns } };
  }
}
