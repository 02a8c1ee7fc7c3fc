// What travels between the adapter, the extension and the webviews. Messages pass each other on the way, so each
// names the moment that it is about by a serial number, and what is older than what is shown is dropped. (The time of
// a moment would not do: it goes backwards too.)
import type { Fix } from '../base/fixes';
import type { BufferObject } from './snapshot';

/** Custom request to the adapter; answered by a `Snapshot` of where the run stands. */
export const snapshotRequest = 'coherence/snapshot';

/** Custom event of the adapter: a program has been made, at a launch or a restart; its listings may be others. */
export const loadedEvent = 'coherence/loaded';

/** Custom event of the adapter: after every stop and every change by hand, the run stands elsewhere. */
export const movedEvent = 'coherence/moved';

/** Custom event of the adapter: the run has come to its end. */
export const endedEvent = 'coherence/ended';

export interface Ended {
  readonly program: string;
  readonly text: string; // of the program that ran
  readonly expectations: readonly Fix[]; // changes of it that make what the run came to what is expected
}

export interface Moved {
  readonly time: number;
  readonly text: string; // why it stands there, as the stop is described
}

/** To the PTE grid. */
export type ToGrid =
  | {
      readonly type: 'object';
      readonly serial: number;
      readonly time: number;
      readonly stop: string;
      readonly object: BufferObject;
      readonly before: BufferObject | null; // at the stop before
      readonly objects: readonly { readonly id: string; readonly name: string }[];
    }
  /** There is nothing to show; what was shown goes, with a reason in its place. */
  | { readonly type: 'nothing'; readonly serial: number; readonly reason: string };

/** From the PTE grid. */
export type FromGrid =
  | { readonly type: 'ready'; readonly serial: number; readonly object: string | null }
  | { readonly type: 'choose'; readonly serial: number; readonly object: string }
  | { readonly type: 'copy'; readonly serial: number; readonly text: string };

/** What the PTE grid keeps over a reload of the window; the rest comes from the run. */
export interface GridState {
  readonly object: string | null;
  readonly form: 'grid' | 'text';
  readonly row: number; // of the focused cell
  readonly column: number;
}
