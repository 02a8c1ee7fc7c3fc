// The coherence contract, judged byte by byte: R1 a store made before a submission is seen by its GPU commands and later
// ones; R2 a GPU store is seen by loads made after a fence trailing it has signalled; R3 what has neither submission nor
// fence between is the application's race; R4 accesses to different bytes never disturb each other. The observer hears
// only edges (stores, loads, maps, submissions, waits of applications; reads and writes of the device) and shares no
// state with the driver. Its obligations are cells of the store and go back in time with the rest. All of that is of
// coherent surfaces. Of others it is promised what the application has flushed or invalidated; where an old byte is seen
// without that, it has forgotten to, and is told so.
import { fail } from '../base/assert';
import { type BytesFrom, Contents, equalBytes } from '../hardware/memory';
import { PAGE_SIZE } from '../hardware/pte';
import type { Engine } from '../routine/engine';
import { blockBytes } from '../state/blocks';
import { type LoggedEvent, tracepoint } from '../state/events';
import { int } from '../state/layout';
import type { StorePlan } from '../state/store';
import { causeOf } from './cause';
import { Numbers } from './planes';

export type Kind = 'R1' | 'R2' | 'R4' | OwnKind;

/** What is the application's own mistake. */
export type OwnKind = 'race' | 'missing flush' | 'missing invalidate';

export const isOwn = <F extends { readonly kind: Kind }>(
  finding: F,
): finding is F & { readonly kind: OwnKind } => !/^R\d/.test(finding.kind);

/** Something the contract found. `event` is the access that showed it; the cause is told from the log as it stands then. */
export interface Finding {
  readonly kind: Kind;
  readonly surface: number;
  /** The bytes concerned, as offsets in the surface: [from, to). */
  readonly from: number;
  readonly to: number;
  readonly event: number;
  readonly step: number;
  /** In words, but for the place: `… at PLACE …`. */
  readonly says: (place: string) => string;
  /** Findings that say the same of neighbouring bytes are one. */
  readonly key: string;
  readonly cause: readonly string[];
}

/** A finding in words. */
export interface Told extends Finding {
  readonly message: string;
}

/** Sizes of what is observed. */
export interface ContractLimits {
  readonly surfaceBytes: readonly number[]; // of each surface
  readonly sharedWith?: readonly number[]; // for each the first one whose bytes it shares, from the first byte on; itself: none
  readonly plain: boolean; // whether any of them may be created without being coherent
  readonly abandons: boolean; // whether the application invalidates any of them on the device
  readonly mappings: number;
  readonly tasks: number;
  /** Where surfaces are made in the middle of a run: for each the one in whose memory it lies, or itself. */
  readonly storedWith?: readonly number[];
}

/** A finding was added to the list; `index` is its place there. */
export const violation = tracepoint('violation', { index: int });
export const race = tracepoint('race', { index: int });

// Cells of a mapping: surface plus 1, root table, address low and high, length, offset in the surface.
const mappingCells = 6;

/** Findings whose cause is told: who loses thousands of pages loses them alike, and each cause reads the whole log. */
const causesMax = 100;

/** Surfaces begin with a block, so that bytes of the same place lie alike in memory, copy and here. */
const wholeBlocks = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes;

/** Everything an access needs to be judged. */
interface Range {
  readonly surface: number;
  readonly offset: number;
  readonly length: number;
}

export class Contract {
  private readonly found: Finding[] = [];
  private readonly starts: number[] = []; // of each surface among the bytes of all
  private readonly expected: Contents;
  private readonly storeEpoch: Numbers; // submissions made when the CPU last stored to the byte, plus 1
  private readonly gpuRead: Numbers; // last submission that read the byte
  private readonly gpuWrite: Numbers; // last submission that wrote it
  /** Where surfaces share bytes: the one through which the GPU wrote a byte last, plus 1; 0: a CPU has stored it since. */
  private readonly writer: Numbers | undefined;
  // Of memory that is not coherent: the first submission that sees what was stored, 0 for none; the last submission whose
  // writes were asked for.
  private readonly flushed: Numbers | undefined;
  private readonly invalidated: Numbers | undefined;
  /** The submission with which the application gave up what a byte holds, plus 1; 0: it did not. */
  private readonly abandoned: Numbers | undefined;
  private readonly stateAt: number;
  private readonly countAt: number;
  /** Names for messages, by number. */
  surfaceName: (surface: number) => string = (s) => `surface ${s}`;
  submissionName: (submission: number) => string = (n) => `submission ${n}`;

  constructor(
    private readonly k: Engine,
    private readonly limits: ContractLimits,
    /** Bytes of the device's copy of a surface, by its id there; an edge, read as the device reads it. */
    private readonly deviceCopy: (surface: number, sid: number | undefined) => Contents | undefined,
  ) {
    const bytes = this.layOut();
    this.expected = new Contents(k.store, k.store.region('contract expected').base, bytes);
    this.storeEpoch = new Numbers(k, 'contract store epoch', bytes);
    this.gpuRead = new Numbers(k, 'contract gpu read', bytes);
    this.gpuWrite = new Numbers(k, 'contract gpu write', bytes);
    if (sharesBytes(limits)) this.writer = new Numbers(k, 'contract writer', bytes);
    if (limits.plain) {
      this.flushed = new Numbers(k, 'contract flushed', bytes);
      this.invalidated = new Numbers(k, 'contract invalidated', bytes);
    }
    if (limits.abandons) this.abandoned = new Numbers(k, 'contract abandoned', bytes);
    this.stateAt = k.store.region('contract').base;
    this.countAt = k.store.region('contract findings').base;
    k.listeners.push((event) => this.hear(event));
  }

  static reserve(plan: StorePlan, limits: ContractLimits): void {
    const bytes = limits.surfaceBytes.reduce((sum, _n, i) => sum + roomFor(limits, i), 0);
    plan.region('contract expected', 'contents', Math.ceil(bytes / blockBytes));
    const asked = [
      ...(limits.plain ? ['flushed', 'invalidated'] : []),
      ...(limits.abandons ? ['abandoned'] : []),
      ...(sharesBytes(limits) ? ['writer'] : []),
    ];
    for (const name of ['store epoch', 'gpu read', 'gpu write', ...asked])
      Numbers.reserve(plan, `contract ${name}`, bytes);
    const { surfaceBytes, tasks, mappings, storedWith = [] } = limits;
    const cells = 1 + surfaceBytes.length + tasks + mappings * mappingCells + storedWith.length;
    plan.region('contract', 'state', cells);
    plan.region('contract findings', 'history', 1);
  }

  /** What was found so far, oldest first, an access each. */
  findings(): readonly Finding[] {
    return this.found.slice(0, this.k.store.peek(this.countAt));
  }

  /** Violations, neighbouring bytes together; without the application's own races. */
  violations(): readonly Told[] {
    return this.told(this.findings().filter((f) => !isOwn(f)));
  }

  /** The application's own mistakes: races, and what it forgot to flush or to invalidate. */
  races(): readonly Told[] {
    return this.told(this.findings().filter(isOwn));
  }

  get hasViolation(): boolean {
    return this.findings().some((f) => !isOwn(f));
  }

  get hasRace(): boolean {
    return this.findings().some(isOwn);
  }

  /** One finding in words. */
  tell(finding: Finding): Told {
    const { from, to, surface } = finding;
    const first = Math.floor(from / PAGE_SIZE);
    const last = Math.floor((to - 1) / PAGE_SIZE);
    const pages = last > first ? `pages ${first} to ${last}` : `page ${first}`;
    const place = `${pages} of ${this.surfaceName(surface)}, from byte ${from} on`;
    return { ...finding, message: finding.says(place) };
  }

  /** Findings that follow each other and say the same of bytes side by side become one; the first gives the cause. */
  private told(findings: readonly Finding[]): Told[] {
    const merged: Finding[] = [];
    for (const f of findings) {
      const last = merged.at(-1);
      if (
        last !== undefined &&
        last.key === f.key &&
        last.surface === f.surface &&
        last.to === f.from
      ) {
        merged[merged.length - 1] = { ...last, to: f.to };
      } else merged.push(f);
    }
    return merged.map((f) => this.tell(f));
  }

  // Edges.

  private hear(event: LoggedEvent): void {
    const a = event.args as Record<string, number>;
    switch (event.name) {
      case 'surface_created':
        this.create(a.surface!, Boolean(a.coherent), Boolean(a.fresh));
        break;
      case 'surface_destroyed':
        this.setCell(1 + a.surface!, 0);
        this.giveUp(a.surface!);
        this.abandon(a.surface!);
        break;
      case 'surface_mapped':
        this.map(a.surface!, a.root!, a.address!, a.length!, a.offset!);
        break;
      case 'surface_unmapped':
        this.unmap(a.root!, a.address!, a.length!);
        break;
      case 'surface_moved':
        this.move(a.root!, a.address!, a.length!, a.to!);
        break;
      case 'surfaces_inherited':
        for (const m of this.mappings(a.from!))
          this.map(m.surface, a.root!, m.address, m.length, m.offset);
        break;
      case 'cpu_store':
        for (const part of this.partsOf(a.root!, a.address!, a.length!)) this.cpuStore(event, part);
        break;
      case 'cpu_load':
        for (const part of this.partsOf(a.root!, a.address!, a.length!)) this.cpuLoad(event, part);
        break;
      case 'submit':
        this.setCell(0, a.submission!);
        break;
      case 'gpu_read':
        this.gpuReads(event, { surface: a.surface!, offset: a.offset!, length: a.length! });
        break;
      case 'gpu_write':
        this.gpuWrites(event, { surface: a.surface!, offset: a.offset!, length: a.length! });
        break;
      case 'gpu_copy':
        this.gpuCopies(event, { surface: a.surface!, offset: a.offset!, length: a.length! });
        break;
      case 'fence_waited':
        this.raiseWaited(event.task, a.submission!);
        break;
      case 'synchronized': // one thread's event reached another: it knows what the other waited for
        this.raiseWaited(event.task, this.waited(a.from!));
        break;
      case 'memory_flushed':
        this.flushed?.fill(this.place(ofArgs(a)), a.length!, a.from!);
        break;
      case 'memory_abandoned':
        this.abandoned?.fill(this.place(ofArgs(a)), a.length!, a.submission! + 1);
        break;
      case 'memory_invalidated': {
        const covered = a.submission! < 0 ? this.waited(event.task) : a.submission!;
        this.invalidated?.fill(this.place(ofArgs(a)), a.length!, covered);
        break;
      }
    }
  }

  /** A surface is there. Where its memory is new, nothing is known any more of what others held that lay in the one before. */
  private create(surface: number, coherent: boolean, fresh: boolean): void {
    const { storedWith } = this.limits;
    this.setCell(1 + surface, coherent ? 1 : notCoherent);
    if (storedWith === undefined) return;
    const family = storedWith.flatMap((root, i) => (root === storedWith[surface] ? [i] : []));
    if (fresh && family.some((i) => this.firstSubmission(i) > 0)) {
      for (const i of family) this.forget(i);
      this.unmapAll(new Set(family));
    }
    this.k.store.put(this.createdAt(surface), this.submissions + 1);
  }

  /** Bytes of new memory: zeroes that nobody has touched. */
  private forget(surface: number): void {
    const at = this.starts[surface]!;
    const length = this.limits.surfaceBytes[surface]!;
    this.expected.fill(at, length, { unique: false, value: 0 });
    const { storeEpoch, gpuRead, gpuWrite, writer, flushed, invalidated, abandoned } = this;
    for (const numbers of [storeEpoch, gpuRead, gpuWrite, writer, flushed, invalidated, abandoned])
      numbers?.fill(at, length, 0);
  }

  /** Bytes that only a surface has that is given up: another may be made of them, and is promised nothing of what they hold. */
  private abandon(surface: number): void {
    const { surfaceBytes, storedWith } = this.limits;
    if (storedWith === undefined) return;
    const others = surfaceBytes.filter(
      (_n, i) => firstOf(this.limits, i) === firstOf(this.limits, surface) && !this.isGone(i),
    );
    const kept = Math.max(0, ...others);
    const length = surfaceBytes[surface]! - kept;
    if (length <= 0) return;
    this.abandoned?.fill(this.starts[surface]! + kept, length, this.submissions + 1);
  }

  private cpuStore(event: LoggedEvent, range: Part): void {
    const waited = this.waited(event.task);
    const at = this.place(range);
    if (this.isCoherent(range.surface)) {
      this.racesAbove(event, range, this.gpuRead, waited, 'stored', 'reads');
      this.racesAbove(event, range, this.gpuWrite, waited, 'stored', 'writes');
    }
    this.flushed?.fill(at, range.length, 0);
    this.writer?.fill(at, range.length, 0);
    const { pfn } = event.args as { pfn: number };
    const frame = this.k.parts.memory.frame(pfn);
    this.expected.mirror(at, { contents: frame, at: range.pageOffset }, range.length);
    this.storeEpoch.fill(at, range.length, this.submissions + 1);
    this.abandoned?.fill(at, range.length, 0);
  }

  private cpuLoad(event: LoggedEvent, range: Part): void {
    const waited = this.waited(event.task);
    const { pfn } = event.args as { pfn: number };
    const seen = { contents: this.k.parts.memory.frame(pfn), at: range.pageOffset };
    if (!this.isCoherent(range.surface)) {
      const promised = (at: number) => this.promisedToCpu(at, waited);
      this.compare(event, range, seen, 'cpu', this.unlessWritten(range, 'cpu', promised));
    } else if (!this.racesAbove(event, range, this.gpuWrite, waited, 'loaded', 'writes')) {
      const promised = this.unlessWritten(range, 'cpu', this.unlessAbandoned(range));
      this.compare(event, range, seen, 'cpu', promised);
    }
  }

  /**
   * Surfaces that share bytes have copies of their own on the device, and what the GPU writes to one of them comes to
   * memory only, when it is read back: of such bytes the others' copies are promised nothing until a CPU stores them. To a
   * CPU they are promised, but for those that the GPU wrote through two, or through one that is not coherent.
   */
  private unlessWritten(
    { surface, offset, length }: Range,
    to: 'cpu' | 'gpu',
    promised: ((at: number) => Promised) | undefined,
  ) {
    const { writer } = this;
    const begin = this.place({ surface, offset, length });
    if (writer === undefined || writer.firstAbove(begin, length, 0) < 0) return promised;
    return (at: number): Promised => {
      const by = writer.at(at);
      const other = by > 0 && by !== surface + 1;
      const lost = other && (to === 'gpu' || by === nobodyKnows || !this.isCoherent(by - 1));
      return lost ? 'nothing' : (promised?.(at) ?? 'yes');
    };
  }

  /** What the GPU wrote to a surface goes with it: of bytes that others have too nothing is promised any more. */
  private giveUp(surface: number): void {
    const { writer } = this;
    const begin = this.starts[surface]!;
    const end = begin + this.limits.surfaceBytes[surface]!;
    if (writer === undefined) return;
    changeRuns(writer, begin, end, (by) => (by === surface + 1 ? nobodyKnows : by));
  }

  /** Where the application has given bytes up, `by` a submission if one is given, they are promised to nobody. */
  private unlessAbandoned(range: Range, by = Number.MAX_SAFE_INTEGER) {
    const { abandoned } = this;
    if (abandoned === undefined || abandoned.firstAbove(this.place(range), range.length, 0) < 0)
      return undefined;
    return (at: number): Promised => (this.isAbandoned(at, by) ? 'nothing' : 'yes');
  }

  private isAbandoned(at: number, by = Number.MAX_SAFE_INTEGER): boolean {
    const from = this.abandoned?.at(at) ?? 0;
    return from > 0 && from <= by + 1;
  }

  /** What a load may count on of a byte that is not coherent: to see it, or nothing; or it should have asked for it. */
  private promisedToCpu(at: number, waited: number): Promised {
    if (this.isAbandoned(at)) return 'nothing';
    const writer = this.gpuWrite.at(at);
    const asked = this.invalidated!.at(at);
    // Its own store it sees, but where a readback came over it.
    if (this.storeEpoch.at(at) > 0) return this.flushed!.at(at) > 0 ? 'yes' : 'missing flush';
    if (writer > waited) return 'nothing';
    return writer <= asked && asked <= waited ? 'yes' : 'missing invalidate';
  }

  /** The same of what the GPU reads in a submission. */
  private promisedToGpu(at: number, submission: number): Promised {
    const stored = this.storeEpoch.at(at);
    if (this.isAbandoned(at, submission)) return 'nothing';
    if (stored === 0) return 'yes'; // its own
    if (stored > submission) return 'nothing';
    const from = this.flushed!.at(at);
    return from > 0 && from <= submission ? 'yes' : 'missing flush';
  }

  private gpuReads(event: LoggedEvent, range: Range): void {
    const { submission } = event.args as { submission: number };
    if (this.isOfAnother(event, range.surface)) return;
    if (!this.isCoherent(range.surface)) {
      const plain = (at: number) => this.promisedToGpu(at, submission);
      const promised = this.unlessWritten(range, 'gpu', plain);
      this.compare(event, range, this.deviceBytes(event, range), 'gpu', promised);
      return;
    }
    const at = this.place(range);
    const byte = this.storeEpoch.firstAbove(at, range.length, submission);
    if (byte >= 0)
      this.raced(event, range, byte - at, `${this.submissionName(submission)} reads it`, 'late');
    else {
      const promised = this.unlessAbandoned(range, submission);
      const shared = this.unlessWritten(range, 'gpu', promised);
      this.compare(event, range, this.deviceBytes(event, range), 'gpu', shared);
    }
    this.gpuRead.fill(at, range.length, submission);
  }

  private gpuWrites(event: LoggedEvent, range: Range): void {
    if (this.isOfAnother(event, range.surface)) return;
    const { value } = event.args as { value: number };
    // What was computed from bytes that were read is right when they were, and each read is an edge of its own.
    if (value < 0)
      this.expected.mirror(this.place(range), this.deviceBytes(event, range), range.length);
    else this.expected.fill(this.place(range), range.length, { unique: false, value });
    this.gpuWrote(event, range);
  }

  /** The bytes read before, by an edge of its own, arrive in another place. */
  private gpuCopies(event: LoggedEvent, range: Range): void {
    if (this.isOfAnother(event, range.surface)) return;
    const { submission, source, from } = event.args as Record<string, number>;
    const at = this.place(range);
    const read = this.place({ surface: source!, offset: from!, length: range.length });
    // What the source should hold is known when it is coherent and nobody stores there meanwhile.
    const late = this.storeEpoch.firstAbove(read, range.length, submission!) >= 0;
    const fromOther =
      this.unlessWritten(
        { surface: source!, offset: from!, length: range.length },
        'gpu',
        undefined,
      ) !== undefined;
    if (this.isCoherent(source!) && !late && !fromOther)
      this.expected.copy(at, this.expected, read, range.length);
    else this.expected.mirror(at, this.deviceBytes(event, range), range.length);
    this.gpuWrote(event, range);
  }

  /** The bytes are now the GPU's: whoever loads them has to have waited. */
  private gpuWrote(event: LoggedEvent, range: Range): void {
    const { submission } = event.args as { submission: number };
    const at = this.place(range);
    const byte = this.storeEpoch.firstAbove(at, range.length, submission);
    if (byte >= 0 && this.isCoherent(range.surface)) {
      const what = `${this.submissionName(submission)} writes it`;
      this.raced(event, range, byte - at, what, 'late');
    }
    this.gpuWrite.fill(at, range.length, submission);
    this.noteWriter(range);
    this.storeEpoch.fill(at, range.length, 0);
    // What it writes in the submission that gives it up, or before, is given up with it.
    if ((this.abandoned?.firstAbove(at, range.length, submission) ?? 0) < 0)
      this.abandoned?.fill(at, range.length, 0);
  }

  /** Through which surface the GPU has written; when it was through another before, nobody knows what memory will hold. */
  private noteWriter(range: Range): void {
    const { writer } = this;
    const at = this.place(range);
    if (writer === undefined) return;
    const own = range.surface + 1;
    changeRuns(writer, at, at + range.length, (by) => (by === 0 || by === own ? own : nobodyKnows));
  }

  // Judgement.

  private deviceBytes({ args: { sid } }: LoggedEvent, { surface, offset }: Range): BytesFrom {
    return { contents: this.deviceCopy(surface, sid as number | undefined), at: offset };
  }

  /**
   * Compares what an access saw with what coherent memory would hold. Where memory is not coherent, `promised` says what
   * the access may count on; bytes for which that differs are told apart.
   */
  private compare(
    event: LoggedEvent,
    range: Range,
    seen: BytesFrom,
    who: 'cpu' | 'gpu',
    promised?: (at: number) => Promised,
  ): void {
    const at = this.place(range);
    if (promised !== undefined) {
      this.compareParts(event, range, seen, who, promised);
      return;
    }
    const equal = equalBytes(seen, { contents: this.expected, at }, range.length);
    if (equal === range.length) return;
    const byteSeen = (i: number) => seen.contents?.peek(seen.at + (i - at)) ?? 0;
    const first = at + equal;
    let last = at + range.length - 1;
    while (byteSeen(last) === this.expected.peek(last)) last--;
    const byGpu = this.gpuWrite.at(first) > 0 && this.storeEpoch.at(first) === 0;
    const kind: Kind = who === 'gpu' ? 'R1' : byGpu ? 'R2' : 'R4';
    const reader = who === 'gpu' ? 'the GPU' : 'the CPU';
    const writer = byGpu ? 'the GPU' : 'the CPU';
    const values = `${byteSeen(first)} instead of ${this.expected.peek(first)}`;
    const says = (place: string) =>
      `${reader} read ${values}, which ${writer} had stored before: ${place}`;
    const key = `${kind} ${event.task} ${values} ${byGpu}`;
    const from = range.offset + (first - at);
    const to = range.offset + (last - at) + 1;
    const cause =
      this.k.store.peek(this.countAt) < causesMax
        ? causeOf(this.k, range.surface, from, event, byGpu)
        : [];
    this.add(event, { kind, surface: range.surface, from, to, says, key, cause });
  }

  /** Compares bytes of memory that is not coherent: those that are promised alike together. */
  private compareParts(
    event: LoggedEvent,
    range: Range,
    seen: BytesFrom,
    who: 'cpu' | 'gpu',
    promised: (at: number) => Promised,
  ): void {
    const begin = this.place(range);
    const equalFrom = (i: number) =>
      equalBytes(
        { contents: seen.contents, at: seen.at + i },
        { contents: this.expected, at: begin + i },
        range.length - i,
      );
    const byteAt = (i: number) => seen.contents?.peek(seen.at + i) ?? 0;
    const differs = (i: number) => i < range.length && byteAt(i) !== this.expected.peek(begin + i);
    for (let i = equalFrom(0); i < range.length; i += equalFrom(i)) {
      const says = promised(begin + i);
      let end = i;
      while (differs(end) && promised(begin + end) === says) end++;
      const part = { ...range, offset: range.offset + i, length: end - i };
      if (says === 'yes') this.compare(event, part, { ...seen, at: seen.at + i }, who);
      else if (says !== 'nothing') this.forgotten(event, part, says, who);
      i = end;
    }
  }

  /** The application saw old bytes of its own doing. */
  private forgotten(event: LoggedEvent, part: Range, kind: OwnKind, who: 'cpu' | 'gpu'): void {
    const { surface, offset: from, length } = part;
    const what =
      kind === 'missing invalidate'
        ? 'the CPU read an old byte of memory that is not coherent, and was not invalidated since the GPU wrote it'
        : who === 'gpu'
          ? 'the GPU read an old byte of memory that is not coherent, and was not flushed since the CPU stored it'
          : 'a store to memory that is not coherent was not flushed, and a readback overwrote it';
    const says = (place: string) => `${what}: ${place}`;
    const key = `${kind} ${event.task} ${who}`;
    this.add(event, { kind, surface, from, to: from + length, says, key, cause: [] });
  }

  /** Reports the race with a submission that has touched the range and was not waited for; true when there is one. */
  private racesAbove(
    event: LoggedEvent,
    range: Part,
    numbers: Numbers,
    waited: number,
    does: 'stored' | 'loaded',
    gpuDoes: 'reads' | 'writes',
  ): boolean {
    const at = this.place(range);
    const byte = numbers.firstAbove(at, range.length, waited);
    if (byte < 0) return false;
    const submission = this.submissionName(numbers.at(byte));
    this.raced(event, range, byte - at, `${submission} ${gpuDoes} it`, does);
    return true;
  }

  /** Notes a race: the bytes were `how` by a CPU while a submission that was not waited for `what`. */
  private raced(event: LoggedEvent, range: Range, skip: number, what: string, how: string): void {
    const says = (place: string) =>
      how === 'late'
        ? `the CPU stored while ${what}, without a submission or a fence between: ${place}`
        : `the CPU ${how} while ${what}, whose fence was not waited for: ${place}`;
    const from = range.offset + skip;
    const to = range.offset + range.length;
    const key = `race ${event.task} ${how} ${what}`;
    this.add(event, { kind: 'race', surface: range.surface, from, to, says, key, cause: [] });
  }

  private add(event: LoggedEvent, finding: Omit<Finding, 'event' | 'step'>): void {
    const index = this.k.store.peek(this.countAt);
    this.found[index] = { ...finding, event: event.index, step: event.step };
    this.k.store.put(this.countAt, index + 1);
    this.k.emit(isOwn(finding) ? race : violation, { index });
  }

  // Cells.

  private get submissions(): number {
    return this.k.store.peek(this.stateAt);
  }

  private setCell(index: number, value: number): void {
    this.k.store.put(this.stateAt + index, value);
  }

  private isCoherent(surface: number): boolean {
    return this.k.store.peek(this.stateAt + 1 + surface) === 1;
  }

  /** Nothing is promised of it: it was given up, or is none. */
  private isGone(surface: number): boolean {
    return this.k.store.peek(this.stateAt + 1 + surface) === 0;
  }

  /** GPU work on a surface that was given up; one of that name may have been made since. */
  private isOfAnother({ args }: LoggedEvent, surface: number): boolean {
    return this.isGone(surface) || Number(args['submission']) < this.firstSubmission(surface);
  }

  /** The first submission that can be about a surface as it was made last; 0: it never was, or that is not asked for. */
  private firstSubmission(surface: number): number {
    return this.limits.storedWith === undefined ? 0 : this.k.store.peek(this.createdAt(surface));
  }

  private createdAt(surface: number): number {
    return this.mappingAt(this.limits.mappings) + surface;
  }

  /** The last submission that a task knows to be over. */
  private waited(task: number): number {
    return this.k.store.peek(this.stateAt + 1 + this.limits.surfaceBytes.length + task);
  }

  private raiseWaited(task: number, submission: number): void {
    if (submission > this.waited(task)) {
      this.setCell(1 + this.limits.surfaceBytes.length + task, submission);
    }
  }

  private place(range: Range): number {
    return this.starts[range.surface]! + range.offset;
  }

  /** Puts the surfaces one behind the other, those that share bytes in one place; returns where they end. */
  private layOut(): number {
    let end = 0;
    this.limits.surfaceBytes.forEach((_bytes, i) => {
      this.starts.push(this.starts[firstOf(this.limits, i)] ?? end);
      end += roomFor(this.limits, i);
    });
    return end;
  }

  /** The surface, or when it was given up another one that has its bytes. */
  private living(surface: number): number | undefined {
    const { limits } = this;
    const others = limits.surfaceBytes.map((_bytes, i) => i);
    return [surface, ...others].find(
      (i) => firstOf(limits, i) === firstOf(limits, surface) && !this.isGone(i),
    );
  }

  private mappingAt(i: number): number {
    const { surfaceBytes, tasks } = this.limits;
    return this.stateAt + 1 + surfaceBytes.length + tasks + i * mappingCells;
  }

  private map(
    surface: number,
    root: number,
    address: number,
    length: number,
    offset: number,
  ): void {
    const { store } = this.k;
    this.unmap(root, address, length); // mmap() at a fixed address takes the place of what is there
    for (let i = 0; i < this.limits.mappings; i++) {
      const at = this.mappingAt(i);
      if (store.peek(at) !== 0) continue;
      const high = Math.floor(address / 0x1_0000_0000);
      [surface + 1, root, address | 0, high, length, offset].forEach((v, j) =>
        store.put(at + j, v),
      );
      return;
    }
    fail('room for a mapping to observe');
  }

  /** Forgets all mappings of surfaces. */
  private unmapAll(surfaces: ReadonlySet<number>): void {
    for (let i = 0; i < this.limits.mappings; i++) {
      const at = this.mappingAt(i);
      if (!surfaces.has(this.k.store.peek(at) - 1)) continue;
      for (let j = 0; j < mappingCells; j++) this.k.store.put(at + j, 0);
    }
  }

  /** Forgets what is mapped in a range; of a mapping that reaches beyond it, the rest stays. */
  private unmap(root: number, address: number, length: number): void {
    const end = address + length;
    for (const { at, surface, ...m } of this.mappings(root)) {
      if (m.address >= end || m.address + m.length <= address) continue;
      for (let j = 0; j < mappingCells; j++) this.k.store.put(at + j, 0);
      if (m.address < address) this.map(surface, root, m.address, address - m.address, m.offset);
      const behind = m.address + m.length - end;
      if (behind > 0) this.map(surface, root, end, behind, m.offset + (end - m.address));
    }
  }

  private move(root: number, address: number, length: number, to: number): void {
    const end = address + length;
    const moved = this.mappings(root).filter(
      (m) => m.address < end && m.address + m.length > address,
    );
    this.unmap(root, address, length);
    for (const m of moved) {
      const from = Math.max(m.address, address);
      const until = Math.min(m.address + m.length, end);
      this.map(m.surface, root, to + (from - address), until - from, m.offset + (from - m.address));
    }
  }

  /** What is mapped in an address space. */
  private mappings(root: number) {
    const found = [];
    for (let i = 0; i < this.limits.mappings; i++) {
      const m = this.mapping(i);
      if (m?.root === root) found.push({ ...m, at: this.mappingAt(i) });
    }
    return found;
  }

  private mapping(i: number) {
    const { store } = this.k;
    const at = this.mappingAt(i);
    if (store.peek(at) === 0) return undefined;
    return {
      surface: store.peek(at) - 1,
      root: store.peek(at + 1),
      address: store.peek(at + 3) * 0x1_0000_0000 + (store.peek(at + 2) >>> 0),
      length: store.peek(at + 4),
      offset: store.peek(at + 5),
    };
  }

  /** The bytes of surfaces that an access of [address, address + length) touches. */
  private *partsOf(root: number, address: number, length: number): Generator<Part> {
    for (let i = 0; i < this.limits.mappings; i++) {
      const m = this.mapping(i);
      const surface = m?.root === root ? this.living(m.surface) : undefined;
      if (m === undefined || surface === undefined) continue;
      const from = Math.max(address, m.address);
      const offset = m.offset + (from - m.address);
      const room = surface === m.surface ? m.length : this.limits.surfaceBytes[surface]! - m.offset;
      const to = Math.min(address + length, m.address + Math.min(m.length, room));
      if (from >= to) continue;
      yield { surface, offset, length: to - from, pageOffset: from % 4096 };
    }
  }
}

/** What an access to memory that is not coherent may count on. */
type Promised = 'yes' | 'nothing' | OwnKind;

/** As the surface through which the GPU wrote a byte: through two, or one that is gone. */
const nobodyKnows = 0xff_ffff;

/** Replaces the numbers of bytes [from, to), at once where they are the same. */
function changeRuns(
  numbers: Numbers,
  from: number,
  to: number,
  change: (number: number) => number,
): void {
  for (let at = from; at < to; ) {
    // Nothing to be done with zeroes: whole blocks of them are passed over.
    if (change(0) === 0) at = numbers.firstAbove(at, to - at, 0);
    if (at < 0) return;
    const before = numbers.at(at);
    let end = at + 1;
    while (end < to && numbers.at(end) === before) end++;
    if (change(before) !== before) numbers.fill(at, end - at, change(before));
    at = end;
  }
}

/** The first surface whose bytes a surface shares, or itself. */
const firstOf = ({ sharedWith }: ContractLimits, surface: number): number =>
  sharedWith?.[surface] ?? surface;

const sharesBytes = (limits: ContractLimits): boolean =>
  limits.sharedWith?.some((first, i) => first !== i) ?? false;

/** Bytes to keep for a surface, those of all that share them: none where another has them. */
function roomFor(limits: ContractLimits, surface: number): number {
  if (firstOf(limits, surface) !== surface) return 0;
  const sharing = limits.surfaceBytes.filter((_n, i) => firstOf(limits, i) === surface);
  return wholeBlocks(Math.max(...sharing));
}

/** In the cell of a surface: it exists and is not coherent. */
const notCoherent = 2;

const ofArgs = (a: Record<string, number>): Range => ({
  surface: a['surface']!,
  offset: a['offset']!,
  length: a['length']!,
});

/** A range of a surface as one CPU access touched it. `pageOffset`: its first byte within the frame. */
interface Part extends Range {
  readonly pageOffset: number;
}
