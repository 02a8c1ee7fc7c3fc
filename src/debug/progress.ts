// A long run tells how far it is, where the client shows that; to cancel it is to pause the run.
import type { Timeline } from '../timeline/timeline';

/** A run that takes longer is shown. */
const quietMs = 1000;
const betweenMs = 500;

export class Progress {
  /** Whether the client shows it. */
  heard = false;
  /** What is shown now. */
  id: string | undefined;
  private count = 0;
  private since: number | undefined;
  private told = 0;

  constructor(private readonly send: (event: string, body: object) => void) {}

  /** The run goes on at `now`, in milliseconds. */
  passed(now: number, { position }: Timeline): void {
    if (!this.heard) return;
    this.since ??= now;
    const message = `at step ${position}`;
    if (this.id === undefined && now - this.since >= quietMs) {
      this.id = `run ${++this.count}`;
      this.told = now;
      const title = 'Running';
      this.send('progressStart', { progressId: this.id, title, cancellable: true, message });
    } else if (this.id !== undefined && now - this.told >= betweenMs) {
      this.told = now;
      this.send('progressUpdate', { progressId: this.id, message });
    }
  }

  /** It stands. */
  end(): void {
    this.since = undefined;
    if (this.id === undefined) return;
    this.send('progressEnd', { progressId: this.id });
    this.id = undefined;
  }
}
