// The moments of debug sessions as the panels look at them: where each session stands, and where it stood one stop
// before. Asks the adapter only while somebody looks; nothing is marked when the stop before was not looked at.
import * as vscode from 'vscode';
import { type Moved, movedEvent, snapshotRequest } from '../protocol/messages';
import type { Snapshot } from '../protocol/snapshot';

/** What to show: a snapshot, the one of the stop before if it is known, and why the run stands there. */
export interface Moment {
  readonly serial: number; // of the stop, over all sessions
  readonly now: Snapshot;
  readonly before: Snapshot | null;
  readonly stop: string;
}

/** One session: its latest stop, the one before, and the last that was fetched. */
interface Watched {
  readonly serial: number;
  readonly last: number; // serial of the stop before
  readonly moved: Moved;
  readonly fetched: Moment | null;
}

export const debugType = 'coherence';

export class Moments implements vscode.Disposable {
  private serials = 0;
  private readonly watched = new Map<string, Watched>();
  private readonly lookers: (() => boolean)[] = [];
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private readonly subscriptions = [
    this.changed,
    vscode.debug.onDidReceiveDebugSessionCustomEvent(({ event, session, body }) => {
      if (event === movedEvent && session.type === debugType) this.moved(session, body as Moved);
    }),
    vscode.debug.onDidChangeActiveDebugSession(() => {
      this.changed.fire();
      this.look();
    }),
    vscode.debug.onDidTerminateDebugSession((session) => {
      if (this.watched.delete(session.id)) this.changed.fire();
    }),
  ];

  /** The moment of the active session; undefined when there is none, or not yet. */
  get current(): Moment | undefined {
    const session = this.session;
    return (session && this.watched.get(session.id)?.fetched) ?? undefined;
  }

  private get session(): vscode.DebugSession | undefined {
    const session = vscode.debug.activeDebugSession;
    return session?.type === debugType ? session : undefined;
  }

  /** Adds somebody who may be looking; `look` when that begins. */
  addLooker(isLooking: () => boolean): void {
    this.lookers.push(isLooking);
  }

  /** Fetches the latest stop of the active session if somebody looks and it is not there yet. */
  look(): void {
    const session = this.session;
    const state = session && this.watched.get(session.id);
    if (session === undefined || state === undefined) return;
    if (state.fetched?.serial === state.serial || !this.lookers.some((looking) => looking()))
      return;
    void this.fetch(session, state);
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private moved(session: vscode.DebugSession, moved: Moved): void {
    const state = this.watched.get(session.id);
    const serial = ++this.serials;
    const fetched = state?.fetched ?? null;
    this.watched.set(session.id, { serial, last: state?.serial ?? 0, moved, fetched });
    this.look();
  }

  private async fetch(session: vscode.DebugSession, state: Watched): Promise<void> {
    const { serial, last, moved, fetched } = state;
    let now: Snapshot;
    try {
      now = await session.customRequest(snapshotRequest);
    } catch {
      return; // it runs again, or has ended: another stop, or none, will follow
    }
    if (this.watched.get(session.id) !== state) return; // it stands elsewhere by now
    const before = fetched?.serial === last ? fetched.now : null;
    const moment = { serial, now, before, stop: moved.text };
    this.watched.set(session.id, { ...state, fetched: moment });
    this.changed.fire();
  }
}
