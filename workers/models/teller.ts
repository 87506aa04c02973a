/** Progress of a download in words and numbers, not more often than can be read. */
import type { DownloadProgress } from '../../src/protocol/models';
import type { Milliseconds } from '../../src/units';
import { Pace } from './pace';

export type Report = (progress: DownloadProgress) => void;
/** Progress is told this often at most. */
const TELL: Milliseconds = 200;

export class Teller {
  readonly #pace = new Pace();
  #told = -Infinity;
  #latest: Omit<DownloadProgress, 'id'> = {
    phase: 'asking',
    bytesDone: 0,
    bytesTotal: 0,
    bytesPerSecond: null,
    etaSeconds: null,
    file: null,
    message: null,
  };

  constructor(
    private readonly id: () => string,
    private readonly report: Report,
  ) {}

  asking(repository: string): void {
    this.#tell({ phase: 'asking', message: `Asking for ${repository}` });
  }
  checking(total: number): void {
    this.#tell({ phase: 'checking', bytesTotal: total, message: null });
  }
  waiting(message: string): void {
    this.#tell({ phase: 'waiting', bytesPerSecond: null, etaSeconds: null, message });
  }
  done(bytesDone: number, bytesTotal: number, file: string): void {
    const now = performance.now();
    this.#pace.note(bytesDone, now);
    if (now - this.#told < TELL && bytesDone < bytesTotal) return;
    this.#told = now;
    const [bytesPerSecond, etaSeconds] = [this.#pace.perSecond, this.#pace.left(bytesTotal)];
    this.#tell({ phase: 'weights', bytesDone, bytesTotal, bytesPerSecond, etaSeconds, file, message: null });
  }

  #tell(changes: Partial<DownloadProgress>): void {
    this.#latest = { ...this.#latest, ...changes };
    this.report({ id: this.id(), ...this.#latest });
  }
}
