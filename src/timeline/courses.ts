// The courses that a run took: each shares its entries up to some position with the one that it left. Those that were
// left are kept as long as there is room; what only they had in common with others goes to these.

/** A course that the run took. It shares the entries before `from` with its parent; the first has none. */
export interface Branch {
  readonly id: number;
  readonly parent: number;
  /** The position of the first entry of its own. */
  readonly from: number;
  readonly end: number;
}

interface Course {
  readonly id: number;
  parent: Course | undefined;
  from: number;
  /** Its own entries, from `from` on; none of the current one, whose entries the timeline holds. */
  kept: Int32Array;
}

const nothing = new Int32Array(0);
const overhead = 16; // entries that a course takes beside its own, about

export class Courses {
  private current: Course = { id: 1, parent: undefined, from: 0, kept: nothing };
  private readonly all: Course[] = [this.current];
  private last = 1;
  /** The numbers of those that are kept no longer. */
  readonly dropped: number[] = [];

  /** The course that the run is on. */
  get branch(): number {
    return this.current.id;
  }

  /** Every course that is kept, in the order in which they began; the current one reaches to `end`. */
  branches(end: number): readonly Branch[] {
    return this.all.map((course) => ({
      id: course.id,
      parent: course.parent?.id ?? 0,
      from: course.from,
      end: course === this.current ? end : course.from + course.kept.length,
    }));
  }

  /** Bytes of the courses that were left. */
  get bytes(): number {
    return 4 * this.all.reduce((sum, { kept }) => sum + kept.length + overhead, -overhead);
  }

  /** The run leaves its course, which has these entries, at a position. */
  depart(entries: Int32Array, at: number): void {
    this.keep(entries);
    let parent = this.current;
    while (parent.from > at && parent.parent !== undefined) parent = parent.parent;
    this.current = { id: ++this.last, parent, from: at, kept: nothing };
    this.all.push(this.current);
  }

  /** The run leaves its course, which has these entries, for another: the entries of that, from the start of the run. */
  change(entries: Int32Array, id: number): Int32Array<ArrayBuffer> | undefined {
    const to = this.all.find((course) => course.id === id);
    if (to === undefined) return undefined;
    this.keep(entries);
    const whole = wholeOf(to);
    this.current = to;
    to.kept = nothing;
    return whole;
  }

  private keep(entries: Int32Array): void {
    this.current.kept = entries.slice(this.current.from);
  }

  /** Lets the oldest go until the others take no more than so many bytes. */
  bound(bytes: number): void {
    while (this.bytes > bytes) {
      const oldest = this.all.find((course) => course !== this.current && this.savedBy(course) > 0);
      if (oldest === undefined) return;
      this.drop(oldest);
    }
  }

  /** Lets those go that part from the current one before a position that can be gone to. */
  forget(floor: number): void {
    for (const course of [...this.all])
      if (course !== this.current && this.partingOf(course) < floor) this.drop(course);
  }

  /** Entries that are kept less without a course: those that others share with it go to them. */
  private savedBy(course: Course): number {
    const shared = this.childrenOf(course).map(({ from }) => from - course.from);
    return course.kept.length + overhead - shared.reduce((sum, length) => sum + length, 0);
  }

  /** Those that left a course, but for the current one, which needs nothing of it. */
  private childrenOf(course: Course): Course[] {
    return this.all.filter((other) => other.parent === course && other !== this.current);
  }

  private drop(course: Course): void {
    for (const child of this.childrenOf(course)) {
      const whole = new Int32Array(child.from - course.from + child.kept.length);
      whole.set(course.kept.subarray(0, child.from - course.from));
      whole.set(child.kept, child.from - course.from);
      child.kept = whole;
    }
    for (const child of this.all)
      if (child.parent === course) {
        child.from = course.from;
        child.parent = course.parent;
      }
    this.all.splice(this.all.indexOf(course), 1);
    this.dropped.push(course.id);
  }

  /** Up to where a course is that of the run. */
  private partingOf(course: Course): number {
    const ours = new Map<Course, number>(); // each course that the run has come by, with where it was left
    let left = Number.POSITIVE_INFINITY;
    for (let at: Course | undefined = this.current; at !== undefined; at = at.parent) {
      ours.set(at, left);
      left = at.from;
    }
    left = Number.POSITIVE_INFINITY;
    let at = course;
    while (!ours.has(at)) {
      left = at.from;
      at = at.parent!;
    }
    return Math.min(left, ours.get(at)!);
  }
}

function wholeOf(course: Course): Int32Array<ArrayBuffer> {
  const whole = new Int32Array(course.from + course.kept.length);
  let end = whole.length;
  for (let at: Course | undefined = course; at !== undefined; at = at.parent) {
    whole.set(at.kept.subarray(0, end - at.from), at.from);
    end = at.from;
  }
  return whole;
}
