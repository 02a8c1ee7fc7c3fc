// Long work tells how far it is, where the client shows that. To cancel it is to end the work where it is: a run
// pauses, a look back says what it has found.

/** Work that takes longer is shown. */
const quietMs = 1000;
const betweenMs = 500;

/** How far some work is. */
export interface Passed {
  readonly title: string;
  readonly message: string;
  /** The part that is done, from 0 to 1, where that is known. */
  readonly done?: number;
}

export class Progress {
  /** Whether the client shows it. */
  heard = false;
  /** What is shown now. */
  id: string | undefined;
  private count = 0;
  private since: number | undefined;
  private told = 0;

  constructor(private readonly send: (event: string, body: object) => void) {}

  /** The work goes on at `now`, in milliseconds. */
  passed(now: number, { title, message, done }: Passed): void {
    if (!this.heard) return;
    this.since ??= now;
    const percentage = done === undefined ? {} : { percentage: Math.floor(100 * done) };
    if (this.id === undefined && now - this.since >= quietMs) {
      this.id = `work ${++this.count}`;
      this.told = now;
      const id = { progressId: this.id, title, cancellable: true };
      this.send('progressStart', { ...id, message, ...percentage });
    } else if (this.id !== undefined && now - this.told >= betweenMs) {
      this.told = now;
      this.send('progressUpdate', { progressId: this.id, message, ...percentage });
    }
  }

  /** It is over. */
  end(): void {
    this.since = undefined;
    if (this.id === undefined) return;
    this.send('progressEnd', { progressId: this.id });
    this.id = undefined;
  }
}
