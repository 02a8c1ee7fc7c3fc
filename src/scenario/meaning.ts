// What a scenario means: names resolved, types checked, words looked up. The tree of syntax/ says how it was
// written, this says what is to be done; plan.ts turns it into tasks of a machine. Plain data, like the tree.

import type { Span } from '../base/text';
import type { PointName } from '../hardware/svga/bindings';
import type { SurfaceShape } from '../hardware/svga/shapes';
import type { FailurePoint } from '../kernel/lib/fault-inject';
import type { BinaryOperator } from '../syntax/tree';
import type {
  AdviceName,
  CounterName,
  Device,
  FenceField,
  Memory,
  OccurrenceName,
  OutcomeWord,
  PinPlace,
  ProtectionName,
  Submission,
  TrackerField,
  Tracking,
  WaitWord,
} from './vocabulary';

export interface ScenarioMeaning extends Span {
  readonly title: string;
  readonly machine: MachineOptions;
  readonly surfaces: readonly SurfaceMeaning[];
  readonly processes: readonly ProcessMeaning[];
  readonly fences: readonly Family[];
  readonly events: readonly Family[];
  /** All variables of all threads, by slot. */
  readonly variables: readonly Variable[];
  readonly properties: readonly PropertyMeaning[];
  /** Who goes first: as a run printed it, or in words. */
  readonly schedule: string | readonly Directive[] | undefined;
  /** Points that are to fail from the beginning. */
  readonly failures: readonly Failure[];
  readonly outcomes: OutcomesMeaning | undefined;
  readonly explore: { readonly bound: number | undefined; readonly states: number | undefined };
}

/** A line of a schedule in words: who goes, and how far. */
export type Directive = Span &
  (
    | { readonly kind: 'interrupt'; readonly cpu: number }
    | { readonly kind: 'idle'; readonly agent: string }
    | { readonly kind: 'event'; readonly agent: string; readonly tracepoint: string }
    | {
        readonly kind: 'routine';
        readonly agent: string;
        readonly routine: string;
        readonly when: 'called' | 'returns';
      }
    | {
        readonly kind: 'count';
        readonly agent: string;
        readonly count: number;
        readonly of: 'statements' | 'steps';
      }
    | { readonly kind: 'choice'; readonly agent: string; readonly option: string }
  );

/** What is looked at when a run has ended, and which tuples of values are meant to come out. */
export interface OutcomesMeaning extends Span {
  readonly observed: readonly Value[];
  readonly rows: readonly OutcomeRow[];
}

export interface OutcomeRow extends Span {
  readonly word: OutcomeWord;
  readonly values: readonly number[];
}

export interface MachineOptions {
  readonly kernel: string;
  readonly cpus: number;
  readonly tracking: Tracking;
  readonly memory: Memory;
  readonly device: Device;
  readonly submission: Submission;
  /** Bytes that flushes are rounded out to. */
  readonly atom: number;
  /** Pages that the device can know of at a time; 0: no limit. */
  readonly mobPages: number;
  /** Pages of memory of the device's own. */
  readonly vramPages: number;
  /** The last sequence number of fences before the run. */
  readonly lastSeqno: number;
  readonly with: readonly string[];
  readonly without: readonly string[];
}

/** The variants that settings of a machine stand for; the first word of each setting is what there is without one. */
export const settingVariants = ({
  tracking,
  memory,
  device,
  submission,
}: Pick<MachineOptions, 'tracking' | 'memory' | 'device' | 'submission'>): string[] => [
  ...(tracking === 'auto' ? [] : [`tracking-${tracking}`]),
  ...(memory === 'coherent' ? [] : [`memory-${memory}`]),
  ...(device === 'sm5' ? [] : [`device-${device}`]),
  ...(submission === 'stream' ? [] : [`submission-${submission}`]),
];

/** What is asked of the driver for a surface, and for all. */
export type SurfaceCall = 'create' | 'evict' | 'swapout' | 'pin' | 'unpin' | 'destroy' | 'purge';
export type SystemState = 'suspend' | 'resume';

export interface SurfaceMeaning extends Span {
  readonly index: number;
  readonly name: string;
  readonly shape: SurfaceShape;
  readonly bytes: number;
  readonly coherent: boolean;
  /** The word that says that it is made in the middle of the run; undefined: it is there from the beginning. */
  readonly later: Span | undefined;
  /** Where its bytes lie in guest memory: in that of another surface, or, without a root, in its own. */
  readonly store: { readonly root: SurfaceMeaning | undefined; readonly offset: number };
}

export interface ProcessMeaning extends Span {
  readonly index: number;
  readonly name: string;
  /** The process that this one is forked from, and the names that it knows from there. */
  readonly forks: Fork | undefined;
  /** Where `setup` runs: the process's own CPU, else that of its first thread, else 0. */
  readonly cpu: number;
  /** Runs first, in order; only then the threads start. */
  readonly setup: readonly Step[];
  readonly threads: readonly ThreadMeaning[];
}

/** How a process comes from another: each of its parent's names is one of its own, with the value at the fork. */
export interface Fork {
  readonly parent: string;
  readonly names: readonly { readonly of: Variable; readonly own: Variable }[];
}

export interface ThreadMeaning extends Span {
  readonly index: number;
  readonly name: string;
  readonly cpu: number;
  readonly body: readonly Step[];
}

/** A `let`, a loop's counter or the name behind `as`. It has one slot in the scenario: nothing recurs. */
export interface Variable extends Span {
  readonly slot: number;
  readonly name: string;
  readonly type: 'number' | 'boolean' | 'method' | 'mapping';
  readonly process: string;
  /** Undefined: of the process, seen by all of its threads. */
  readonly thread: string | undefined;
  /** The call whose frame it is in; 0: none, it is the thread's own. */
  readonly frame: number;
  /** It is looked at when the thread has ended, so the scenario's state has it. */
  readonly kept: boolean;
  /** For a mapping: what it maps. */
  readonly mapping: MappingMeaning | undefined;
}

/** Whether it is a field of a frame, of a thread or of a call; else the scenario's state has it. */
export function isLocal({ thread, frame, kept }: Variable): boolean {
  return !kept && (thread !== undefined || frame !== 0);
}

export interface MappingMeaning {
  readonly surface: SurfaceMeaning;
  readonly private: boolean;
  readonly readonly: boolean;
}

/** Fences or events under one name: `done` is one, `done[0]`, `done[1]`, … are several. */
export interface Family extends Span {
  readonly index: number;
  readonly name: string;
  /** How many there are: known from a rehearsal of the loops. */
  readonly size: number;
}

/** One of a family. */
export interface Member {
  readonly family: Family;
  readonly index: Value;
}

export interface PropertyMeaning extends Span {
  readonly when: 'always' | 'never' | 'finally';
  readonly condition: Value;
}

/** A point that is to fail `times` (-1: always) after it has gone well `space` times. */
export interface Failure {
  readonly point: FailurePoint;
  readonly times: number;
  readonly space: number;
}

/** What a thread does, a statement each; `span` is where the debugger stands. `error` receives why a call failed. */
export type Step = Span &
  (
    | {
        readonly kind: 'map';
        readonly into: Variable;
        readonly surface: SurfaceMeaning;
        readonly start: Value;
        readonly end: Value;
        readonly private: boolean;
        readonly readonly: boolean;
        /** The address, when it is given. */
        readonly at: Value | undefined;
        readonly error: Variable | undefined;
      }
    | { readonly kind: 'unmap'; readonly mapping: Range; readonly error: Variable | undefined }
    | {
        readonly kind: 'protect';
        readonly mapping: Range;
        readonly access: ProtectionName;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'advise';
        readonly mapping: Range;
        readonly advice: AdviceName;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'remap';
        readonly mapping: Range;
        readonly at: Value;
        readonly into: Variable;
        readonly error: Variable | undefined;
      }
    | { readonly kind: 'fork'; readonly child: string; readonly error: Variable | undefined }
    | { readonly kind: 'exit' }
    | {
        readonly kind: SurfaceCall;
        readonly surface: SurfaceMeaning;
        /** Of a pin: where the buffer object behind it is to be, instead of the surface where it is. */
        readonly where: PinPlace | undefined;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'cursor';
        readonly surface: SurfaceMeaning;
        readonly into: Variable | undefined;
        readonly error: Variable | undefined;
      }
    | { readonly kind: SystemState; readonly error: Variable | undefined }
    | {
        readonly kind: 'usercopy';
        readonly target: Range;
        /** Of a store by the kernel; `load`: it loads. */
        readonly value: Value | undefined | 'load';
        readonly left: Variable | undefined;
      }
    | { readonly kind: 'poll'; readonly member: Member; readonly into: Variable }
    | ({ readonly kind: 'fail' } & Failure)
    | {
        readonly kind: 'clear_refs';
        readonly process: string;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'write';
        readonly target: Range;
        readonly value: Value | undefined;
        /** The bytes count up from the value. */
        readonly ramp: boolean;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'peek';
        readonly target: Range;
        readonly into: Variable | undefined;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'poke';
        readonly target: Range;
        readonly value: Value | undefined;
        readonly error: Variable | undefined;
      }
    | { readonly kind: 'flush' | 'invalidate'; readonly target: Range }
    | { readonly kind: 'sigaction' }
    | {
        readonly kind: 'copy';
        readonly source: Range;
        /** Where its first byte goes; the end does not matter. */
        readonly target: Range;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'read';
        readonly target: Range;
        readonly into: Variable | undefined;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'submit';
        readonly commands: readonly Command[];
        readonly fence: Member | undefined;
        /** The fence is a sync file too. */
        readonly exported: boolean;
        /** It waits for the sync file of another one first. */
        readonly behind: Member | undefined;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'wait';
        readonly for: 'fence' | 'event';
        readonly member: Member;
        /** Not as usual. */
        readonly how: WaitWord | undefined;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'grab';
        readonly surface: SurfaceMeaning;
        readonly shared: boolean;
        readonly nowait: boolean;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'release';
        readonly surface: SurfaceMeaning;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'export';
        readonly surface: SurfaceMeaning;
        readonly fence: Member;
        readonly error: Variable | undefined;
      }
    | {
        readonly kind: 'attach';
        readonly surface: SurfaceMeaning;
        readonly member: Member;
        readonly error: Variable | undefined;
      }
    | { readonly kind: 'kill'; readonly thread: string; readonly process: string }
    | { readonly kind: 'signal'; readonly member: Member }
    | { readonly kind: 'let'; readonly into: Variable; readonly value: Value }
    | {
        readonly kind: 'repeat';
        readonly count: Value;
        readonly counter: Variable;
        readonly body: readonly Step[];
      }
    | {
        readonly kind: 'if';
        readonly condition: Value;
        readonly then: readonly Step[];
        readonly otherwise: readonly Step[];
      }
    | { readonly kind: 'assert'; readonly condition: Value }
    | {
        readonly kind: 'call';
        readonly procedure: string;
        /** Which call it is: its variables have the same number. */
        readonly frame: number;
        readonly given: readonly { readonly into: Variable; readonly value: Value }[];
        readonly body: readonly Step[];
      }
  );

/** Every step of a scenario, those in blocks and calls too. */
export function* allSteps(meaning: ScenarioMeaning): Generator<Step> {
  function* of(steps: readonly Step[]): Generator<Step> {
    for (const s of steps) {
      yield s;
      yield* of(innerSteps(s));
    }
  }
  for (const p of meaning.processes) {
    yield* of(p.setup);
    for (const t of p.threads) yield* of(t.body);
  }
}

/** The steps in the blocks of a step. */
export function innerSteps(step: Step): readonly Step[] {
  switch (step.kind) {
    case 'repeat':
    case 'call':
      return step.body;
    case 'if':
      return [...step.then, ...step.otherwise];
    default:
      return [];
  }
}

/** The names of fences that are sync files, or can be. */
export function exportedFences(meaning: ScenarioMeaning): ReadonlySet<string> {
  const found = new Set<string>();
  for (const s of allSteps(meaning))
    if (s.kind === 'export' || (s.kind === 'submit' && s.exported && s.fence !== undefined))
      found.add((s.fence as Member).family.name);
  return found;
}

/** The surfaces that are made in the middle of the run, for the first time or again. */
export const createdLate = (meaning: ScenarioMeaning): ReadonlySet<SurfaceMeaning> =>
  new Set([...allSteps(meaning)].flatMap((s) => (s.kind === 'create' ? [s.surface] : [])));

/** The surfaces of which somebody asks whether the GPU has done with them, beside asking fences. */
export function askedSurfaces(meaning: ScenarioMeaning): ReadonlySet<string> {
  const found = new Set<string>();
  for (const s of allSteps(meaning))
    if (s.kind === 'grab' || s.kind === 'export') found.add(s.surface.name);
  return found;
}

/** Bytes of a mapping, as offsets from its start; undefined `end`: to the mapping's end. */
export interface Range extends Span {
  readonly mapping: Variable;
  readonly start: Value;
  readonly end: Value | undefined;
}

/** Bytes of a surface; undefined `end`: to its end. */
export interface Extent extends Span {
  readonly surface: SurfaceMeaning;
  readonly start: Value;
  readonly end: Value | undefined;
}

/** A command for the GPU. Extents and values are computed at submission. */
export type Command = Span &
  (
    | {
        readonly verb: 'draw';
        readonly reads: readonly Extent[];
        readonly writes: readonly { readonly extent: Extent; readonly value: Value | undefined }[];
      }
    /** A draw with what the thread has bound. */
    | { readonly verb: 'drawBound'; readonly value: Value | undefined }
    | {
        readonly verb: 'bind';
        readonly point: PointName;
        readonly slot: number;
        readonly extent: Extent;
      }
    | { readonly verb: 'unbind'; readonly point: PointName; readonly slot: number }
    | { readonly verb: 'copy'; readonly source: Extent; readonly target: Extent }
    | { readonly verb: 'clear'; readonly target: Extent; readonly value: Value | undefined }
    | {
        readonly verb: 'genmips' | 'present';
        readonly target: Extent;
      }
    | {
        readonly verb: 'update' | 'readback' | 'invalidate';
        readonly target: Extent;
        /** The subresource that it is about; undefined: the surface, or, of a buffer's update, a range. */
        readonly image: number | undefined;
      }
  );

/** How many commands of the device these are at most: a draw is one for each range that it reads or writes. */
export function deviceCommands(commands: readonly Command[]): number {
  const count = (c: Command): number => {
    switch (c.verb) {
      case 'draw':
        return c.reads.length + c.writes.length;
      case 'bind':
        return 3; // the view before, its own, and what binds it
      case 'unbind':
        return 2;
      default:
        return 1;
    }
  };
  return commands.reduce((n, c) => n + count(c), 0);
}

/** Whether anybody submits such a command. */
export const submits = (meaning: ScenarioMeaning, verb: Command['verb']): boolean =>
  [...allSteps(meaning)].some(
    (s) => s.kind === 'submit' && s.commands.some((c) => c.verb === verb),
  );

/** What steps bind, those in blocks and calls too. */
export function bindsIn(steps: readonly Step[]): readonly (Command & { verb: 'bind' })[] {
  return steps.flatMap((s) => [
    ...(s.kind === 'submit' ? s.commands.filter((c) => c.verb === 'bind') : []),
    ...bindsIn(innerSteps(s)),
  ]);
}

/** What can be asked about a byte of a mapping, and has fields. */
export type BehindLook = 'pte' | 'pmd' | 'pud' | 'pgd' | 'tlb' | 'vma' | 'pagemap';

export type Type = 'number' | 'boolean' | 'method';

/**
 * An expression. Every value is a number: a boolean is 0 or 1, a method its number in the driver, a range of
 * bytes the byte that all of them hold or -1 when they differ.
 */
export type Value = Span & { readonly type: Type } & (
    | { readonly kind: 'number'; readonly value: number }
    | { readonly kind: 'variable'; readonly variable: Variable }
    | {
        readonly kind: 'binary';
        readonly operator: BinaryOperator;
        readonly left: Value;
        readonly right: Value;
      }
    | { readonly kind: 'not'; readonly operand: Value }
    | { readonly kind: 'negative'; readonly operand: Value }
    | { readonly kind: 'counter'; readonly counter: CounterName }
    | { readonly kind: 'occurred'; readonly what: OccurrenceName }
    | { readonly kind: 'bytes'; readonly place: Place }
    /** Two ranges, byte for byte. */
    | { readonly kind: 'same'; readonly left: Place; readonly right: Place }
    /** Whether the bytes count up from the first, modulo 256. */
    | { readonly kind: 'ramps'; readonly place: Place; readonly first: Value }
    /** A field of what stands behind a byte of a mapping: an entry of a table, of a TLB, a VMA, pagemap. */
    | {
        readonly kind: 'behind';
        readonly look: BehindLook;
        /** Of a TLB; else 0. */
        readonly cpu: number;
        readonly mapping: Variable;
        readonly offset: Value;
        readonly field: string;
      }
    | { readonly kind: 'address'; readonly mapping: Variable; readonly offset: Value }
    | {
        readonly kind: 'box';
        readonly surface: SurfaceMeaning;
        /** Of which subresource. */
        readonly image: number;
        readonly field: string;
      }
    | {
        readonly kind: 'tracker';
        readonly surface: SurfaceMeaning;
        /** Of the page that `dirty` asks for. */
        readonly offset: Value | undefined;
        readonly field: TrackerField;
      }
    | { readonly kind: 'fence'; readonly member: Member; readonly field: FenceField }
    | { readonly kind: 'event'; readonly member: Member }
    /** How many events of a tracepoint there were, or the place of the first or last; with a field, its argument. */
    | {
        readonly kind: 'history';
        readonly ask: 'events' | 'first' | 'last';
        readonly tracepoint: string;
        readonly where: Value | undefined;
        readonly field: string | undefined;
      }
    /** An argument of the event that `where` is asked about. */
    | { readonly kind: 'argument'; readonly name: string }
  );

/** Bytes that an expression looks at: through a mapping, in a surface's memory, or in the device's copy. */
export type Place =
  | ({ readonly of: 'mapping' } & Range)
  | ({ readonly of: 'memory' | 'device' } & Extent);
