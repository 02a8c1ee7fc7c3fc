// Search over schedules: depth first over the states of one run, with a set of states already visited. In rounds: first
// the orders without a switch away from who could go on, then those with one, with two, then all; so what is found
// first needs few switches, and its schedule is short to read. Only steps that others can notice are interleaved
// (private.ts). It goes in slices: who calls decides how long, and may stop at any time.
import { type Choice, type Entry, scheduleText } from '../routine/schedule';
import { evaluate } from '../scenario/evaluate';
import type { OutcomeRow, ScenarioMeaning, Value } from '../scenario/meaning';
import type { Problem, Run, Verdict } from '../scenario/run';
import { Timeline } from '../timeline/timeline';
import { PrivateSteps } from './private';
import { Visited } from './visited';

/** Distinct states after which a search gives up, unless told otherwise. */
export const statesMax = 1_000_000;

/** Switches of the rounds before the one without a bound. */
const firstBounds = [0, 1, 2];

export interface SearchOptions {
  /** At most so many switches away from an agent that could go on; undefined: any number. */
  readonly bound?: number | undefined;
  /** States to visit at most, over all rounds. */
  readonly states?: number | undefined;
  /** Choices that come before the search begins. */
  readonly schedule?: readonly Entry[] | undefined;
  /** Interleaves private steps, too: what the tests compare with. */
  readonly full?: boolean | undefined;
}

/** A way to something: the choices from the start of the run, as a schedule's text. */
export interface Witness {
  readonly schedule: string;
  readonly steps: number;
  /** Switches away from somebody who could go on. */
  readonly switches: number;
}

export interface Found extends Witness {
  readonly problem: Problem;
}

/** A tuple of values that the run ended with, as `outcomes` asks for them. */
export interface Reached extends Witness {
  readonly values: readonly number[];
}

/** Where a search stands: `over` in full, or `limit`: there is more than it was allowed to look at. */
export type SearchState = 'running' | 'over' | 'limit';

interface Node {
  readonly mark: number;
  readonly path: number;
  readonly agent: number;
  readonly switches: number;
  readonly ways: readonly Choice[];
  readonly key: number;
  next: number;
}

export class Search {
  /** States visited, over all rounds. */
  states = 0;
  /** Micro-steps made. */
  transitions = 0;
  /** Ends that were reached: states in which nobody can go on. */
  ends = 0;
  state: SearchState = 'running';
  /** Whether orders with more switches than the bound were left out. */
  cut = false;
  /** The bound of the round that the search is in. */
  bound: number;

  private readonly violations = new Map<string, Found>();
  private readonly outcomes = new Map<string, Reached>();
  private readonly remembered: readonly Value[];
  /** Tracepoints that the scenario asks for in the event history. */
  private readonly asked: ReadonlySet<string>;
  private readonly bounds: readonly number[];
  private readonly steps: PrivateSteps | undefined;
  private readonly path: Entry[] = [];
  /** Of each choice of the path, whether an operation was executed, not only a task changed. */
  private readonly executed: boolean[] = [];
  /** Where on the way to where we stand a state is, by its key: its place among the nodes. */
  private readonly onWay = new Map<number, number>();
  private readonly limit: number;
  private readonly collects: boolean;
  private visited = new Visited();
  private nodes: Node[] = [];
  private round = 0;

  /** `run` stands before its first step; the search has it to itself from here on. */
  constructor(
    private readonly run: Run,
    options: SearchOptions = {},
  ) {
    this.limit = options.states ?? statesMax;
    this.bounds =
      options.bound === undefined
        ? [...firstBounds, Number.POSITIVE_INFINITY]
        : Array.from({ length: options.bound + 1 }, (_, n) => n);
    this.bound = this.bounds[0]!;
    const { values, tracepoints } = rememberedBy(run.meaning);
    this.remembered = values;
    this.asked = tracepoints;
    this.collects = run.meaning.outcomes !== undefined;
    this.steps = options.full === true ? undefined : new PrivateSteps(run.engine);
    this.follow(options.schedule ?? []);
    this.begin();
  }

  /** What was found, the one with the fewest switches of each kind and place. */
  get found(): readonly Found[] {
    return [...this.violations.values()];
  }

  /** The outcomes that were reached, each with a way there. */
  get reached(): readonly Reached[] {
    return [...this.outcomes.values()];
  }

  /** Whether the search went on behind what it found. */
  get isExhaustive(): boolean {
    return this.collects;
  }

  /** Required outcomes that no order ends with; known when all have been looked at. */
  get missing(): readonly Problem[] {
    const { run, state, cut } = this;
    if (state !== 'over' || cut) return [];
    const reached = [...this.outcomes.values()];
    const isReached = (row: OutcomeRow) =>
      reached.some(({ values }) => values.every((value, i) => value === row.values[i]));
    return (run.meaning.outcomes?.rows ?? [])
      .filter((row) => row.word === 'required' && !isReached(row))
      .map((row) => run.missingOutcome(row));
  }

  get verdict(): Verdict {
    if (this.violations.size > 0 || this.missing.length > 0) return 'violated';
    return this.state === 'over' ? 'holds' : 'incomplete';
  }

  /** Goes on for about so many micro-steps. */
  go(steps: number): SearchState {
    const until = this.transitions + steps;
    while (this.state === 'running' && this.transitions < until) this.advance();
    return this.state;
  }

  /** One way further, or back to where another one is left. */
  private advance(): void {
    const node = this.nodes.at(-1);
    if (node === undefined) {
      this.endRound();
      return;
    }
    const way = node.ways[node.next++];
    this.run.engine.store.rollback(node.mark);
    this.path.length = node.path;
    if (way === undefined) {
      this.nodes.pop();
      this.onWay.delete(node.key);
      return;
    }
    this.run.engine.store.mark(); // the same number again: the node's own moment
    const costs = this.costs(node, way);
    if (node.switches + costs > this.bound) {
      this.cut = true;
      return;
    }
    const events = this.run.engine.events.length;
    this.step(way);
    this.arrive(way.agent, node.switches + costs, events);
  }

  private costs({ agent, ways }: Node, way: Choice): number {
    return agent >= 0 && way.agent !== agent && ways.some((w) => w.agent === agent) ? 1 : 0;
  }

  /** One step, and behind it the private ones of the task that stands behind it. */
  private step(choice: Choice): void {
    const { engine } = this.run;
    const own = choice.agent - engine.cpus;
    const on = own < 0 ? -1 : engine.cpuOf(own);
    const executes = on < 0 || engine.currentOf(on) === own;
    engine.step(choice.agent, choice.branch);
    this.note(choice, executes);
    const task =
      choice.agent < engine.cpus
        ? engine.currentOf(choice.agent)
        : engine.taskOfAgent(choice.agent);
    const agent = engine.agentOfTask(task);
    this.steps?.run(task, () => this.note({ agent, branch: 0 }));
    this.idle(engine.cpuOf(task));
  }

  /**
   * A CPU on which nobody can go on any more idles at once. What else could come first is a shootdown, which flushes the
   * TLB that the CPU would keep and flush when it comes back.
   */
  private idle(cpu: number): void {
    const { engine } = this.run;
    const agent = engine.agents - engine.cpus + cpu;
    if (this.steps === undefined || cpu < 0 || !engine.runnable(agent)) return;
    engine.step(agent);
    this.note({ agent, branch: 0 }, false);
  }

  private note(entry: Entry, executes = true): void {
    this.executed[this.path.length] = executes;
    this.path.push(entry);
    this.transitions++;
  }

  /** Looks at the state that was come to, unless it is known, and at the ways on from there. */
  private arrive(agent: number, switches: number, events: number): void {
    const { run } = this;
    if (run.hasProblem(events)) {
      this.find(run.problems(false), switches);
      if (!this.collects) return;
    }
    if (this.states >= this.limit) {
      this.state = 'limit';
      return;
    }
    const [lo, hi] = this.hash(agent);
    const key = lo * 2 ** 21 + (hi >>> 11);
    if (!this.visited.add(lo, hi, Number.isFinite(this.bound) ? switches : 0)) {
      this.lookForLivelock(this.onWay.get(key), switches);
      return;
    }
    this.states++;
    const ways = this.ways(agent);
    if (ways.length > 0) {
      const mark = run.engine.store.mark();
      this.onWay.set(key, this.nodes.length);
      this.nodes.push({ mark, path: this.path.length, agent, switches, ways, key, next: 0 });
      return;
    }
    this.ends++;
    const problems = run.problems(true);
    if (problems.length > 0) this.find(problems, switches);
    this.collect(switches);
  }

  /** Who can go on, the one who just went first. */
  private ways(agent: number): Choice[] {
    const { engine } = this.run;
    const ways: Choice[] = [];
    const add = (a: number) => {
      if (!engine.runnable(a)) return;
      const branches = engine.branches(a);
      for (let branch = 0; branch < branches; branch++) ways.push({ agent: a, branch });
    };
    if (agent >= 0) add(agent);
    for (let a = 0; a < engine.agents; a++) if (a !== agent) add(a);
    return ways;
  }

  /**
   * A state that the way here has passed already: it can go round for ever. That is a livelock when nobody is kept from
   * going who could all the time, and no hardware does again and again what is eventful.
   */
  private lookForLivelock(first: number | undefined, switches: number): void {
    if (first === undefined) return;
    const { engine } = this.run;
    const nodes = this.nodes.slice(first);
    const from = nodes[0]!.path;
    const turn = this.path.slice(from) as Choice[]; // behind what the search begins with
    if (turn.length === 0 || turn.some(({ branch }) => branch !== 0)) return;
    const went = new Set(turn.filter((_, i) => this.executed[from + i]).map(({ agent }) => agent));
    const always = (agent: number) =>
      nodes.every(({ ways }) => ways.some((w) => w.agent === agent));
    for (let agent = 0; agent < engine.agents; agent++) {
      if (!went.has(agent) && always(agent)) return;
    }
    const tasks = [...went].map((agent) => engine.taskOfAgent(agent)).filter((task) => task >= 0);
    if (tasks.length > 0) this.find([this.run.livelock(turn.length, tasks)], switches);
  }

  /** A state is the machine's, what its scenario remembers of events, and, with a bound, who went last. */
  private hash(agent: number): readonly [number, number] {
    const { store } = this.run.engine;
    let [lo, hi] = [store.hashLow, store.hashHigh];
    const mix = (value: number) => {
      lo = Math.imul(lo ^ value, 0x85ebca6b) ^ (lo >>> 13);
      hi = Math.imul(hi + value, 0x27d4eb2f) ^ (hi >>> 15);
    };
    for (const value of this.remembered) mix(evaluate(value, this.run.look));
    if (this.asked.size > 0) this.mixHistory(mix);
    if (Number.isFinite(this.bound)) mix(agent);
    return [lo, hi];
  }

  /** Takes the events that the scenario asks for, all that is known of them, into a state. */
  private mixHistory(mix: (value: number) => void): void {
    const { events } = this.run.engine;
    mix(events.length);
    for (const { name, index, args } of events.slice()) {
      if (!this.asked.has(name)) continue;
      const text = `${name} ${index} ${JSON.stringify(args)}`;
      for (let i = 0; i < text.length; i++) mix(text.charCodeAt(i));
    }
  }

  private find(problems: readonly Problem[], switches: number): void {
    for (const problem of problems) {
      const what = problem.kind === 'outcome' ? problem.message : '';
      const key = `${problem.kind} ${problem.line}:${problem.column} ${what}`;
      const known = this.violations.get(key);
      if (known === undefined || known.switches > switches) {
        this.violations.set(key, { problem, ...this.witness(switches) });
      }
    }
    if (!this.collects) this.state = 'over';
  }

  private collect(switches: number): void {
    if (!this.collects || !this.run.engine.done) return;
    const values = this.run.observed();
    const key = values.join(' ');
    const known = this.outcomes.get(key);
    if (known === undefined || known.switches > switches) {
      this.outcomes.set(key, { values, ...this.witness(switches) });
    }
  }

  private witness(switches: number): Witness {
    return { schedule: scheduleText(this.path), steps: this.path.length, switches };
  }

  /** Makes the steps that come before the search; throws where they do not fit. */
  private follow(schedule: readonly Entry[]): void {
    const timeline = new Timeline(this.run.engine, schedule);
    while (timeline.position < schedule.length && timeline.stepForward());
    for (let at = 0; at < timeline.position; at++) this.note(timeline.entryAt(at)!);
    this.run.engine.store.settle();
  }

  /** Stands at the beginning of a round. */
  private begin(): void {
    this.cut = false;
    this.visited = new Visited();
    this.onWay.clear();
    this.arrive(-1, 0, 0);
  }

  /** Every order within the bound was looked at: on to the next round, or the end. */
  private endRound(): void {
    this.round++;
    if (!this.cut || this.round === this.bounds.length) {
      this.state = 'over';
      return;
    }
    this.bound = this.bounds[this.round]!;
    this.begin();
  }
}

/** What a scenario asks about what has happened: the same states of a machine may differ in it. */
function rememberedBy(meaning: ScenarioMeaning): {
  values: readonly Value[];
  tracepoints: ReadonlySet<string>;
} {
  const tracepoints = new Set<string>();
  const found = new Map<string, Value>();
  const seen = new Set<unknown>();
  const walk = (part: unknown): void => {
    if (typeof part !== 'object' || part === null || seen.has(part)) return;
    seen.add(part);
    const value = part as Value;
    if (value.kind === 'counter') found.set(value.counter, value);
    else if (value.kind === 'occurred') found.set(value.what, value);
    else if (value.kind === 'history') tracepoints.add(value.tracepoint);
    for (const inner of Object.values(part)) walk(inner);
  };
  walk(meaning);
  return { values: [...found.values()], tracepoints };
}
