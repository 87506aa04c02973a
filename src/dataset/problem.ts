/** Reasons a person can mend: what, where, and the next move. Thrown inside the dataset worker, a `Failure` outside it. */
import type { TableColumn } from '../protocol/events';

export class DataProblem extends Error {
  override name = 'DataProblem';
}

/** A table whose columns' names do not tell what asks and what answers. A person may say it. */
export class UnknownColumns extends DataProblem {
  constructor(
    message: string,
    readonly columns: TableColumn[],
  ) {
    super(message);
  }
}
