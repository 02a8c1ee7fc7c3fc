// Threads that stand as they stood are not judged again. What the checks find of a thread depends on its own text, on
// the scenario around the threads, and on the names of fences and events; while these stay, what was found of it holds,
// at its new place. A thread that does what others see (an unmapping, a fork, an end) belongs to what is around.
import type { Span } from '../base/text';
import type { Thread } from '../syntax/tree';
import type { Family, ThreadMeaning } from './meaning';
import type { Diagnostic } from './names';

/** Members of a family that are brought about, and whether some could not be known. */
export interface Given {
  readonly indices: Set<number>;
  open: boolean;
}

/** A fence or event that is waited for, where that is, and whether it is on every path. */
export interface Awaited extends Span {
  readonly family: Family;
  readonly index: number;
  readonly certain: boolean;
  readonly what: 'fence' | 'event';
}

/** What was found of one thread, and what others need to know of it. */
export interface JudgedThread {
  readonly text: string;
  readonly from: number;
  readonly found: Diagnostic[];
  /** Errors among these that were found before the rehearsal. */
  errors: number;
  /** Steps of its rehearsal. */
  steps: number;
  readonly given: Map<Family, Given>;
  readonly awaited: Awaited[];
}

/** The threads of a scenario, in order, and all that what is found of them depends on beside their own texts. */
export interface JudgedThreads {
  readonly around: string;
  readonly threads: readonly JudgedThread[];
}

/** What a scenario has beside what its threads do. */
interface Surroundings {
  readonly text: string;
  readonly scenario: Span;
  readonly threads: readonly Thread[];
  /** The fences and events that the whole scenario knows, and whether each name stands for several. */
  readonly families: readonly { readonly family: Family; readonly indexed: boolean }[];
  readonly earlier: JudgedThreads | undefined;
}

const seenByOthers = /\b(unmap|protect|remap|fork|exit|create|destroy)\b/;

export class Threads {
  /** How many threads were not judged again: with any, the meaning of the scenario is not whole. */
  kept = 0;
  /** Whether the rehearsal came to the end of all threads. */
  whole = true;
  private readonly around: string;
  private readonly numbers = new Map<Thread, number>();
  private readonly families: ReadonlyMap<string, Family>;
  private readonly judged: JudgedThread[] = [];
  private readonly meanings = new Map<ThreadMeaning, JudgedThread>();
  private current: JudgedThread | undefined;

  constructor(private readonly of: Surroundings) {
    const { text, scenario, threads, families } = of;
    this.families = new Map(families.map(({ family }) => [family.name, family]));
    const pieces: string[] = [];
    let from = scenario.from;
    for (const thread of threads) {
      if (seenByOthers.test(text.slice(thread.from, thread.to))) continue;
      pieces.push(text.slice(from, thread.from));
      from = thread.to;
      this.numbers.set(thread, this.numbers.size);
    }
    const names = families.map(({ family, indexed }) => [family.name, indexed]);
    pieces.push(text.slice(from, scenario.to), JSON.stringify(names));
    this.around = pieces.join('\n\0');
  }

  /** For the next check; none where the rehearsal was too long: how far it comes depends on all threads. */
  get all(): JudgedThreads | undefined {
    return this.whole ? { around: this.around, threads: this.judged } : undefined;
  }

  /** Whether what a thread says of this family concerns others. */
  isShared(family: Family): boolean {
    return this.families.get(family.name) === family;
  }

  /** What is known of a thread that stands as it stood, at its new place. */
  known(thread: Thread): JudgedThread | undefined {
    const { text, earlier } = this.of;
    const number = this.numbers.get(thread);
    if (number === undefined || earlier?.around !== this.around) return undefined;
    const before = earlier.threads[number];
    if (before?.text.length !== thread.to - thread.from) return undefined;
    if (!text.startsWith(before.text, thread.from)) return undefined;
    this.kept++;
    const judged = this.moved(before, thread.from);
    this.judged[number] = judged;
    return judged;
  }

  /** A thread is being resolved: what is noted now is found of it. */
  resolving(thread: Thread): void {
    const number = this.numbers.get(thread);
    if (number === undefined) return;
    const { from, to } = thread;
    const text = this.of.text.slice(from, to);
    this.current = { text, from, found: [], errors: 0, steps: 0, given: new Map(), awaited: [] };
    this.judged[number] = this.current;
  }

  /** It has been resolved to this. */
  resolved(meaning: ThreadMeaning): void {
    const judged = this.current;
    if (judged === undefined) return;
    judged.errors = judged.found.filter(({ severity }) => severity === 'error').length;
    this.stands(meaning, judged);
    this.current = undefined;
  }

  /** What a thread means that stands as it stood: it has no steps. */
  stands(meaning: ThreadMeaning, judged: JudgedThread): void {
    this.meanings.set(meaning, judged);
  }

  /** What is known, or becomes known, of a thread; what is noted from now on is found of it. */
  rehearsing(meaning: ThreadMeaning | undefined): JudgedThread | undefined {
    this.current = meaning && this.meanings.get(meaning);
    return this.current;
  }

  /** Takes a problem that was found. */
  note(problem: Diagnostic): void {
    this.current?.found.push(problem);
  }

  private moved(judged: JudgedThread, from: number): JudgedThread {
    const by = from - judged.from;
    const move = <T extends Span>(span: T): T =>
      by === 0 ? span : { ...span, from: span.from + by, to: span.to + by };
    const familyOf = ({ name }: Family): Family => this.families.get(name)!;
    return {
      ...judged,
      from,
      found: judged.found.map((one) => {
        const { fix } = one;
        return { ...move(one), fix: fix && { ...fix, edits: fix.edits.map(move) } };
      }),
      given: new Map([...judged.given].map(([family, given]) => [familyOf(family), given])),
      awaited: judged.awaited.map((one) => ({ ...move(one), family: familyOf(one.family) })),
    };
  }
}
