/** A reason a person can mend: what, where, and the next move. Thrown inside the dataset worker, a `Failure` outside it. */
export class DataProblem extends Error {
  override name = 'DataProblem';
}
