// The one journalled store: every mutable thing of a machine is a 32-bit cell here, behind a single write. That write
// feeds the undo log; the incremental 64-bit hash follows the log when it is asked for. Cells are of three kinds: state
// (hashed), contents (hashed by the digest of the block they name) and history (rolled back, but not hashed).
import { assert, fail } from '../base/assert';
import { hashText, mixHi, mixLo } from '../base/hash';
import { Blocks } from './blocks';

export type CellKind = 'state' | 'contents' | 'history';

/** A named run of cells of one kind. */
export interface Region {
  readonly name: string;
  readonly kind: CellKind;
  readonly base: number;
  readonly cells: number;
}

/** Hears every access made through `read` and `write`; the checks of tests and the explorer use it. */
export interface AccessObserver {
  read(at: number): void;
  write(at: number): void;
}

/** A span of steps kept as its net change, both ways, with the hash at either end. */
export interface Span {
  readonly cells: Int32Array; // triples: cell, before, after
  readonly before: Moment;
  readonly after: Moment;
}

/** What belongs to a moment besides the cells: both lanes of the hash, and the clock. */
type Moment = readonly [lo: number, hi: number, clock: number];

/** Cells that a store can have: addresses below 2^29, for what is held is an address and two bits in one cell. */
export const cellsMax = 2 ** 29;

/** A machine is too large for a store. */
export class NoRoom extends Error {
  constructor(readonly cells: number) {
    super(`${cells} cells, of at most ${cellsMax}`);
  }
}

/** Collects the regions of a store before it is made. Regions of a kind follow each other in the order asked for. */
export class StorePlan {
  private readonly wanted: { name: string; kind: CellKind; cells: number }[] = [];

  /** Reserves `cells` cells; the region is known once the store is built. */
  region(name: string, kind: CellKind, cells: number): void {
    assert(!this.wanted.some((r) => r.name === name), `one region called ${name}`);
    this.wanted.push({ name, kind, cells });
  }

  /** Throws `NoRoom` when that is more than a store can have. */
  build(): Store {
    const wanted = this.wanted.reduce((sum, r) => sum + r.cells, 1);
    if (wanted > cellsMax) throw new NoRoom(wanted);
    const regions: Region[] = [];
    let next = 1; // cell 0 is nobody's: 0 is NULL
    const ends: Partial<Record<CellKind, number>> = {};
    for (const kind of ['state', 'contents', 'history'] as const) {
      for (const r of this.wanted.filter((w) => w.kind === kind)) {
        regions.push({ ...r, base: next });
        next += r.cells;
      }
      ends[kind] = next;
    }
    try {
      return new Store(regions, ends.state!, ends.contents!, next);
    } catch (error) {
      throw error instanceof RangeError ? new NoRoom(wanted) : error; // the host has not so much memory
    }
  }
}

const logCells = 3; // of a write: cell, value before, value after
const markCells = 5; // of a mark: length of the log, hash low, hash high, how far it is hashed, clock

export class Store {
  readonly cells: Int32Array;
  readonly blocks = new Blocks();
  observer: AccessObserver | undefined;
  /** By number of a struct: 1 where every object has the header of a pool before it, which is 0 when it is free. */
  readonly guarded = new Uint8Array(512);
  /** Hears of an access to a freed object of such a struct. */
  usedAfterFree: ((field: string, at: number) => void) | undefined;
  /** Micro-steps so far. It goes back with the marks, so that no step has to write it down. */
  clock = 0;
  private readonly lanes = new Int32Array(2); // the hash, low lane first, as of `hashed`
  private log = new Int32Array(1 << 12);
  private logLength = 0;
  private seen: Uint8Array | undefined; // scratch of `netChange`, all zero outside of it
  private hashed = 0; // writes in the log before this are in the hash
  private marks = new Int32Array(1 << 10);
  private markCount = 0;

  constructor(
    readonly regions: readonly Region[],
    private readonly contentsStart: number,
    private readonly historyStart: number,
    size: number,
  ) {
    this.cells = new Int32Array(size);
  }

  region(name: string): Region {
    const region = this.regions.find((r) => r.name === name);
    assert(region !== undefined, `a region called ${name}`);
    return region;
  }

  /** Reads a cell as the emulated world does; counted by the observer. */
  read(at: number): number {
    if (this.observer !== undefined) this.observer.read(at);
    return this.cells[at]!;
  }

  /** Does something that is no access of the emulated world, such as looking through views: no observer hears it. */
  unobserved<T>(look: () => T): T {
    const { observer, usedAfterFree } = this;
    this.observer = undefined;
    this.usedAfterFree = undefined;
    try {
      return look();
    } finally {
      this.observer = observer;
      this.usedAfterFree = usedAfterFree;
    }
  }

  /** Reads a cell for display or for a guard: no observer hears it. */
  peek(at: number): number {
    return this.cells[at]!;
  }

  /** The only way to change a cell. */
  write(at: number, value: number): void {
    if (this.observer !== undefined) this.observer.write(at);
    this.put(at, value | 0);
  }

  /** As `write`, for the engine's own bookkeeping, which is nobody's access. */
  put(at: number, value: number): void {
    const { cells } = this;
    const before = cells[at]!;
    if (before === value) return;
    const end = this.logLength;
    if (end + logCells > this.log.length) this.log = grown(this.log);
    const { log } = this;
    log[end] = at;
    log[end + 1] = before;
    log[end + 2] = value;
    this.logLength = end + logCells;
    cells[at] = value;
  }

  kindOf(at: number): CellKind {
    return at < this.contentsStart ? 'state' : at < this.historyStart ? 'contents' : 'history';
  }

  /** The hash of state and contents as 16 hexadecimal digits. */
  hash(): string {
    return hashText(this.hashHigh, this.hashLow);
  }

  /** The lanes of the hash, for tables that key on numbers. */
  get hashLow(): number {
    this.catchUp();
    return this.lanes[0]!;
  }

  get hashHigh(): number {
    this.catchUp();
    return this.lanes[1]!;
  }

  /** Takes what was written since the hash was last asked for into it. */
  private catchUp(): void {
    const { log, logLength } = this;
    for (let i = this.hashed; i < logLength; i += logCells) {
      this.mix(log[i]!, log[i + 1]!, log[i + 2]!);
    }
    this.hashed = logLength;
  }

  private mix(at: number, before: number, after: number): void {
    const { lanes, blocks } = this;
    if (at < this.contentsStart) {
      lanes[0] = lanes[0]! ^ mixLo(at, before) ^ mixLo(at, after);
      lanes[1] = lanes[1]! ^ mixHi(at, before) ^ mixHi(at, after);
    } else if (at < this.historyStart) {
      lanes[0] = lanes[0]! ^ mixLo(at, blocks.digestLo(before)) ^ mixLo(at, blocks.digestLo(after));
      lanes[1] = lanes[1]! ^ mixHi(at, blocks.digestHi(before)) ^ mixHi(at, blocks.digestHi(after));
    }
  }

  /** Remembers this moment; returns its number. Marks are numbered from 0 upwards and popped by `rollback`. */
  mark(): number {
    const at = this.markCount * markCells;
    if (at + markCells > this.marks.length) this.marks = grown(this.marks);
    this.marks[at] = this.logLength;
    this.marks[at + 1] = this.lanes[0]!;
    this.marks[at + 2] = this.lanes[1]!;
    this.marks[at + 3] = this.hashed;
    this.marks[at + 4] = this.clock;
    return this.markCount++;
  }

  /** Restores every cell to what it was at mark `mark`, which is popped with all later ones. */
  rollback(mark: number): void {
    if (mark < 0 || mark >= this.markCount) {
      fail(`a mark below ${this.markCount}, not ${mark}`);
    }
    const at = mark * markCells;
    const to = this.marks[at]!;
    const { cells, log } = this;
    for (let i = this.logLength - logCells; i >= to; i -= logCells) {
      cells[log[i]!] = log[i + 1]!;
    }
    this.logLength = to;
    this.lanes[0] = this.marks[at + 1]!;
    this.lanes[1] = this.marks[at + 2]!;
    this.hashed = this.marks[at + 3]!;
    this.clock = this.marks[at + 4]!;
    this.markCount = mark;
  }

  get markTotal(): number {
    return this.markCount;
  }

  /** Bytes that the undo log and the marks hold at this moment. */
  get journalBytes(): number {
    return this.logLength * 4 + this.markCount * markCells * 4;
  }

  /** The cells written since `mark`, with the value each had before that write, oldest first; a cell may come twice. */
  writtenSince(mark: number, visit: (at: number, before: number) => void): void {
    const from = mark < this.markCount ? this.marks[mark * markCells]! : this.logLength;
    for (let i = from; i < this.logLength; i += logCells) visit(this.log[i]!, this.log[i + 1]!);
  }

  /** Folds everything since mark `from` into its net change and forgets the log and all marks. */
  seal(from: number): Span {
    assert(from < this.markCount, 'a mark that still stands');
    assert(this.marks[from * markCells] === 0, 'nothing in the journal before the span');
    const triples = this.netChange(this.log, this.logLength);
    const m = from * markCells;
    const [lo, hi, clock] = [this.marks[m + 1]!, this.marks[m + 2]!, this.marks[m + 4]!];
    this.lanes.set([lo, hi]); // the hash at the mark, whole because the journal was empty then
    for (let i = 0; i < triples.length; i += logCells) {
      this.mix(triples[i]!, triples[i + 1]!, triples[i + 2]!);
    }
    this.forget();
    const after = [this.lanes[0]!, this.lanes[1]!, this.clock] as const;
    return { cells: triples, before: [lo, hi, clock], after };
  }

  /** Spans that follow each other as one; the cells are as the last of them left them. */
  fold(spans: readonly Span[]): Span {
    const log = new Int32Array(spans.reduce((sum, { cells }) => sum + cells.length, 0));
    let end = 0;
    for (const { cells } of spans) {
      log.set(cells, end);
      end += cells.length;
    }
    const triples = this.netChange(log, end);
    return { cells: triples, before: spans[0]!.before, after: spans.at(-1)!.after };
  }

  /** What a log comes to, in its own form: each cell that changed, its value at the start and its value now. */
  private netChange(log: Int32Array, logLength: number): Int32Array {
    const { cells } = this;
    this.seen ??= new Uint8Array(cells.length);
    const { seen } = this;
    const net = log.slice(0, logLength); // room for all, filled from the start
    let end = 0;
    for (let i = 0; i < logLength; i += logCells) {
      const at = log[i]!;
      if (seen[at] === 1) continue;
      seen[at] = 1;
      const before = log[i + 1]!;
      if (cells[at] === before) continue;
      net[end] = at;
      net[end + 1] = before;
      net[end + 2] = cells[at]!;
      end += logCells;
    }
    for (let i = 0; i < logLength; i += logCells) seen[log[i]!] = 0;
    return net.slice(0, end);
  }

  /** Applies a sealed span in one go. The journal must be empty of marks: a span lies before all of them. */
  apply(span: Span, direction: 'back' | 'forward'): void {
    assert(this.markCount === 0 && this.logLength === 0, 'spans are applied below the journal');
    const value = direction === 'back' ? 1 : 2;
    for (let i = 0; i < span.cells.length; i += 3) {
      this.cells[span.cells[i]!] = span.cells[i + value]!;
    }
    const [lo, hi, clock] = direction === 'back' ? span.before : span.after;
    this.lanes.set([lo, hi]);
    this.clock = clock;
  }

  /** Forgets the journal: what was done so far cannot be rolled back. For the end of a machine's construction. */
  settle(): void {
    this.catchUp();
    this.forget();
  }

  private forget(): void {
    this.logLength = 0;
    this.hashed = 0;
    this.markCount = 0;
  }
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
