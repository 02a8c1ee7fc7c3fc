// What the debugger asks of a run: an engine with names around it. The scenario layer makes one from a text;
// nothing here knows the kernel, the language or DAP.

import type { Fix } from '../base/fixes';
import type { Position } from '../base/text';
import type { Locations } from '../machine/locations';
import type { Place, Spot } from '../machine/spots';
import type { Engine } from '../routine/engine';
import type { Entry } from '../routine/schedule';
import type { LoggedEvent } from '../state/events';
import type { U64 } from '../state/layout';

export type { Place, Spot };

/** What an expression yields. A string stands for itself, already as text. */
export type Value = number | boolean | string | U64 | Place;
export type Evaluated = { readonly value: Value | Spot } | { readonly error: string };

/** Where an expression is evaluated. */
export interface Where {
  readonly task: number;
  /** Address of the frame in the store, 0 when there is none. */
  readonly frame: number;
  /** Names that come before all others: an event's arguments, the locals of a kernel frame. */
  readonly lookup: (name: string) => Value | undefined;
}

/** A thread as the user sees it: `render on cpu0`, a GPU engine, a kernel worker. */
export interface DebugThread {
  readonly task: number;
  readonly name: string;
}

/** A violation, race, warning or failed assertion in words, with the chain of what led to it, oldest first. */
export interface Finding {
  readonly message: string;
  readonly causes: readonly string[];
}

export interface Verdict {
  readonly lines: readonly string[];
  readonly exitCode: number;
  /** Changes of the program's text that make what the run came to what is expected. */
  readonly expectations?: readonly Fix[];
}

/** Where a run is to be looked at first, when that is not its beginning: whether it stands there, and what is said. */
export interface Target {
  readonly reached: () => boolean;
  readonly task: number;
  readonly title: string;
  readonly text: string;
  /** It is something that went wrong. */
  readonly wrong: boolean;
}

/** A run to debug. */
export interface Debuggee {
  readonly engine: Engine;
  /** The scenario or recorded program: its name, its file, and the text that the spans of its operations point into. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** The file itself and those that it imports, with their texts. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** The place that an offset in a span stands for; lines and columns from 0. */
  placeAt(offset: number): Position & { readonly path: string };
  /** The name of the text as a source where it is no file of its own, but made from one. */
  readonly made: string | undefined;
  readonly target: Target | undefined;
  /** In the order of declaration; the idle tasks are not among them. */
  readonly threads: readonly DebugThread[];
  readonly locations: Locations;
  /** Entries to follow before the default schedule. */
  readonly schedule: readonly Entry[];
  /** All that has begun has ended; the run is over without being stuck. */
  readonly done: boolean;
  /** Only looks: never faults, fills a TLB or sets a bit. */
  evaluate(expression: string, where: Where): Evaluated;
  /** The name of the location that an expression is of, or why it is of none that can be watched or changed. */
  locate(expression: string, where: Where): { readonly id: string } | { readonly error: string };
  /** What is wrong with an expression whatever the state, or undefined. */
  check(expression: string): string | undefined;
  /** What an event reports: for `violation`, `race`, `warn` and `assertion`. */
  finding(event: LoggedEvent): Finding | undefined;
  /** What a virtual address is to the task's owner, such as `page 2 of ring`. */
  describe(address: number, task: number): string | undefined;
  /** The scenario's own name of an object, such as `ring`; `surface` and a number name the surface itself. */
  nameOf(struct: string, at: number): string | undefined;
  /** The names of surfaces that are made in the middle of the run, and that are not there. */
  absent(): readonly string[];
  /** The judgement of the run as it stands. */
  verdict(): Verdict;
}

/** How a scenario or a recorded program is to be run; the launch arguments that concern it. */
export interface RunOptions {
  readonly scenario?: string;
  /** The program of a recording: its name, or its number from 1. */
  readonly recorded?: string | number;
  /** The number of the operation to stop at, as the recording has it. */
  readonly operation?: number;
  readonly kernel?: string;
  readonly with: readonly string[];
  readonly without: readonly string[];
  /** Instead of the scenario's own. */
  readonly schedule?: readonly Entry[];
}

/** Why a text gives no run. Lines and columns from 0. */
export interface LoadProblem {
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}

/** Makes a run of the text of a scenario or a recording, or says all that is wrong with it. */
export type Load = (
  path: string,
  text: string,
  options: RunOptions,
  read?: ReadFile,
) => Debuggee | readonly LoadProblem[];

/** The text of another file, or in a few words why there is none. */
export type ReadFile = (path: string) => string | { readonly problem: string };

/** Reads beforehand what a text refers to, for files that cannot be read at once. */
export type ReadAhead = (
  path: string,
  text: string,
  read: (path: string) => Promise<string>,
) => Promise<ReadFile>;
