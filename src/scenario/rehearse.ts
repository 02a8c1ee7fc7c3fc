// A rehearsal: every thread is gone through once, alone, with the values that are known beforehand. What it
// meets is exact where conditions are known (loops, constants, arithmetic on them): ranges out of bounds,
// fences that nobody submits, how many fences a name stands for. Behind a condition that only the run decides
// both ways are gone, and what is found there is a warning.
import { removed } from '../base/fixes';
import type { Span } from '../base/text';
import { PAGE_SIZE, showBytes } from '../syntax/numbers';
import { apply } from './evaluate';
import {
  type Command,
  type Extent,
  type Family,
  innerSteps,
  type Member,
  type Place,
  type ProcessMeaning,
  type Range,
  type ScenarioMeaning,
  type Step,
  type SurfaceMeaning,
  type Value,
  type Variable,
} from './meaning';
import type { Report, Severity } from './names';
import { checkConstant, partsOf } from './statements';
import type { Awaited, Given, JudgedThread, Threads } from './threads';
import type { ProtectionName } from './vocabulary';

/** How many fences or events a name stands for. */
export type FamilySizes = (family: Family) => number;

const STEPS_MAX = 50_000;
const TURNS_MAX = 1_000_000;
const FAMILY_MAX = 4096;

/**
 * Goes through all threads; reports what cannot work. With `partial` some statements are left out because they
 * have problems of their own: then nobody knows what is never submitted.
 */
export function rehearse(
  meaning: ScenarioMeaning,
  report: Report,
  partial: boolean,
  threads?: Threads,
): FamilySizes {
  const given = new Map<Family, Given>();
  for (const family of [...meaning.fences, ...meaning.events])
    given.set(family, { indices: new Set(), open: false });
  const awaited: Awaited[] = [];
  let complete = true;
  const forked = new Map<string, Known>();
  const makers = makersOf(meaning);
  for (const process of meaning.processes) {
    const rehearsal = new Rehearsal(given, awaited, forked, makers, report, threads);
    rehearsal.process(process, partial);
    complete &&= rehearsal.complete;
    for (const property of meaning.properties) rehearsal.look(property.condition);
  }
  if (threads !== undefined) threads.whole = complete;
  if (complete && !partial) reportUnmet(awaited, given, report);
  return (family) => Math.min(FAMILY_MAX, 1 + Math.max(0, ...(given.get(family)?.indices ?? [])));
}

/** A task by its process and its thread; -1: the process's own statements. */
interface Maker {
  readonly process: number;
  readonly thread: number;
}

/** Who makes each surface that is not there from the beginning. */
function makersOf({ surfaces, processes }: ScenarioMeaning): ReadonlyMap<SurfaceMeaning, Maker[]> {
  const makers = new Map<SurfaceMeaning, Maker[]>();
  for (const surface of surfaces) if (surface.later !== undefined) makers.set(surface, []);
  const note = (steps: readonly Step[], maker: Maker): void => {
    for (const step of steps) {
      if (step.kind === 'create') makers.get(step.surface)?.push(maker);
      note(innerSteps(step), maker);
    }
  };
  if (makers.size === 0) return makers;
  for (const { index: process, setup, threads } of processes) {
    note(setup, { process, thread: -1 });
    for (const { index: thread, body } of threads) note(body, { process, thread });
  }
  return makers;
}

/** Waiting for what no path brings about would never end. */
function reportUnmet(
  awaited: readonly Awaited[],
  given: ReadonlyMap<Family, Given>,
  report: Report,
): void {
  const told = new Set<number>();
  for (const { family, index, from, to, certain, what } of awaited) {
    const { name } = family;
    const known = given.get(family);
    if (known === undefined || known.open || known.indices.has(index)) continue;
    if (told.has(from)) continue;
    told.add(from);
    const span = { from, to };
    const indices = [...known.indices].sort((a, b) => a - b);
    const [first] = indices;
    const done = what === 'fence' ? 'submitted' : 'signaled';
    const there =
      first === undefined
        ? `no \`${name}\` is ever ${done}`
        : `\`${name}[${index}]\` is never ${done}: there are \`${name}[${first}]\` to \`${name}[${indices.at(-1)}]\``;
    const severity = certain ? 'error' : 'warning';
    report(span, `${there}; this wait would not end`, severity, removed(span, 'this wait'));
  }
}

/** What is known at a place: values of variables and bytes of mappings, by slot. */
interface Known {
  readonly variables: ReadonlyMap<number, number>;
  readonly mapped: ReadonlyMap<number, number>;
}

/** What pages of a mapping have become, by which thread (-1: before all threads). */
interface Changed extends Span {
  readonly start: number;
  readonly end: number;
  readonly into: ProtectionName | 'unmapped' | 'unknown';
  readonly thread: number;
}

/** What is copied: bytes of a mapping or of a surface of this size. */
interface Copied {
  readonly start: Value;
  readonly end: Value | undefined;
  readonly size: number | undefined;
}

/** The bytes of surfaces that a command is about. */
function extentsOf(command: Command): readonly Extent[] {
  switch (command.verb) {
    case 'draw':
      return [...command.reads, ...command.writes.map(({ extent }) => extent)];
    case 'copy':
      return [command.source, command.target];
    case 'bind':
      return [command.extent];
    case 'drawBound':
    case 'unbind':
      return [];
    default:
      return [command.target];
  }
}

class Rehearsal {
  private readonly variables = new Map<number, number>();
  /** Bytes of each mapping, by slot. */
  private readonly mapped = new Map<number, number>();
  /** What pages of a mapping, by slot, have become: the last that is said of a page holds. */
  private readonly changed = new Map<number, Changed[]>();
  private thread = -1;
  /** Where what is met in this thread is kept for the next check. */
  private judged: JudgedThread | undefined;
  /** Which ways conditions went, those of assertions too. */
  private readonly branches = new Map<Step, { yes: boolean; no: boolean }>();
  private readonly told = new Set<string>();
  private readonly counters: Variable[] = [];
  private readonly calls: (Step & { kind: 'call' })[] = [];
  private steps = 0;
  /** Deeper than 0: behind a condition that is not known. */
  private unsure = 0;
  private index = 0;
  private isForked = false;
  /** Surfaces that this task may have made. */
  private readonly made = new Set<SurfaceMeaning>();

  constructor(
    private readonly given: ReadonlyMap<Family, Given>,
    private readonly awaited: Awaited[],
    /** What each process knew when it was forked. */
    private readonly forked: Map<string, Known>,
    private readonly makers: ReadonlyMap<SurfaceMeaning, readonly Maker[]>,
    private readonly report: Report,
    private readonly threads: Threads | undefined,
  ) {}

  get complete(): boolean {
    return this.steps <= STEPS_MAX;
  }

  process(
    { setup, threads, forks, name, index, from, to }: ProcessMeaning,
    partial: boolean,
  ): void {
    const known = this.forked.get(name);
    this.index = index;
    this.isForked = forks !== undefined;
    for (const { of, own } of forks?.names ?? []) {
      const value = known?.variables.get(of.slot);
      const bytes = known?.mapped.get(of.slot);
      if (value !== undefined) this.variables.set(own.slot, value);
      if (bytes !== undefined) this.mapped.set(own.slot, bytes);
    }
    if (forks !== undefined && known === undefined && !partial)
      this.report(
        { from, to },
        `nobody forks \`${name}\`, so it never begins; say \`fork ${name}\` in \`${forks.parent}\``,
      );
    this.run(setup);
    this.reportDead();
    for (const thread of threads) {
      this.thread = thread.index;
      this.made.clear();
      this.judged = this.threads?.rehearsing(thread);
      const before = this.steps;
      if (this.judged !== undefined && this.judged.steps > 0) this.stands(this.judged);
      else this.run(thread.body);
      this.reportDead();
      if (this.judged !== undefined) this.judged.steps = this.steps - before;
    }
    this.judged = this.threads?.rehearsing(undefined);
  }

  /** A thread that stands as it stood: what it gives others is known. */
  private stands({ given, awaited, steps }: JudgedThread): void {
    this.steps += steps;
    for (const [family, { indices, open }] of given) {
      const known = this.given.get(family);
      if (known === undefined) continue;
      for (const index of indices) known.indices.add(index);
      known.open ||= open;
    }
    this.awaited.push(...awaited);
  }

  /** Blocks that no turn of the loops around them comes to, assertions that no run can change. */
  private reportDead(): void {
    if (!this.complete) return;
    for (const [step, { yes, no }] of this.branches) {
      if (step.kind === 'repeat' && !yes)
        this.report(step.count, 'this repeats nothing: its block is not reached', 'warning');
      if (step.kind === 'assert' && yes !== no) checkConstant(step, yes, this.report);
      if (step.kind !== 'if') continue;
      const { condition, then, otherwise } = step;
      const dead = !yes && then.length > 0 ? then : !no && otherwise.length > 0 ? otherwise : [];
      const [first] = dead;
      if (first === undefined) continue;
      const says = dead === then ? 'never holds: its block' : 'always holds: what is behind `else`';
      this.report(condition, `this ${says} is not reached`, 'warning');
    }
    this.branches.clear();
  }

  /** Checks every place that an expression looks at. */
  look(value: Value): void {
    if (value.kind === 'bytes' || value.kind === 'ramps') this.place(value.place);
    else if (value.kind === 'same') {
      this.place(value.left);
      this.place(value.right);
    } else if (value.kind === 'behind' || value.kind === 'address') {
      const size = this.mapped.get(value.mapping.slot);
      if (size !== undefined)
        this.bounds(
          value,
          this.know(value.offset),
          undefined,
          size,
          `\`${value.mapping.name}\` maps`,
        );
    }
    for (const part of partsOf(value)) this.look(part);
  }

  /** Whether somebody comes to the end of the steps: not so behind an `exit`. */
  private run(steps: readonly Step[]): boolean {
    for (const [i, step] of steps.entries()) {
      if (++this.steps > STEPS_MAX) return true;
      if (this.step(step)) continue;
      const next = steps[i + 1];
      if (next !== undefined)
        this.report(next, 'this is never reached: `exit` ends the thread', 'warning');
      return false;
    }
    return true;
  }

  /** A surface is used: a mistake when nobody can have made it by now, and nobody asks for the error. */
  private uses(
    surface: SurfaceMeaning,
    step: Span & { readonly error: Variable | undefined },
  ): void {
    const makers = this.makers.get(surface);
    if (makers === undefined || step.error !== undefined || this.made.has(surface)) return;
    const { index, thread, isForked } = this;
    const comesBefore = (m: Maker): boolean => {
      if (m.process === index && m.thread === thread) return false;
      return thread >= 0 || isForked || m.process < index;
    };
    if (makers.length === 0 || makers.some(comesBefore)) return;
    const { name } = surface;
    this.tell(
      step,
      `\`${name}\` is not there yet: \`create ${name}\` comes later; to expect EINVAL, name it: \`else error\``,
    );
  }

  /** Goes through one step; says whether somebody comes behind it. */
  private step(step: Step): boolean {
    if (step.kind === 'create') this.made.add(step.surface);
    else if ('surface' in step) this.uses(step.surface, step);
    switch (step.kind) {
      case 'exit':
        return false;
      case 'repeat':
        return this.repeat(step);
      case 'if':
        return this.branch(step);
      case 'map':
        this.map(step);
        break;
      case 'unmap':
      case 'protect':
      case 'advise':
        this.range(step.mapping);
        this.aligned(step.mapping, step.mapping);
        if (step.kind === 'unmap') this.change(step, 'unmapped');
        else if (step.kind === 'protect') this.change(step, step.access);
        break;
      case 'remap':
        this.remap(step);
        break;
      case 'fork':
        this.forked.set(step.child, {
          variables: new Map(this.variables),
          mapped: new Map(this.mapped),
        });
        break;
      case 'usercopy':
        this.range(step.target);
        if (step.value !== undefined && step.value !== 'load') this.stored(step.value);
        if (step.left !== undefined) this.variables.delete(step.left.slot);
        break;
      case 'poll':
        this.look(step.member.index);
        this.variables.delete(step.into.slot);
        break;
      case 'create':
      case 'evict':
      case 'swapout':
      case 'pin':
      case 'unpin':
      case 'destroy':
      case 'purge':
      case 'suspend':
      case 'resume':
      case 'sigaction':
      case 'fail':
      case 'clear_refs':
      case 'kill':
      case 'grab':
      case 'release':
        break;
      case 'cursor':
        if (step.into !== undefined) this.variables.delete(step.into.slot);
        break;
      case 'peek':
        this.range(step.target);
        if (step.into !== undefined) this.variables.delete(step.into.slot);
        break;
      case 'poke':
        this.range(step.target);
        if (step.value !== undefined) this.stored(step.value);
        break;
      case 'export':
        this.give(step.fence);
        break;
      case 'attach':
        this.look(step.member.index);
        break;
      case 'write':
        this.range(step.target);
        this.access(step);
        if (step.ramp && step.value !== undefined) this.look(step.value);
        else if (step.value !== undefined) this.stored(step.value);
        break;
      case 'flush':
      case 'invalidate':
        this.range(step.target);
        break;
      case 'copy':
        this.moved(step);
        this.access({ ...step, kind: 'read', target: step.source });
        this.access({ ...step, kind: 'write' });
        break;
      case 'read':
        this.range(step.target);
        this.access(step);
        if (step.into !== undefined) this.variables.delete(step.into.slot);
        break;
      case 'submit':
        for (const command of step.commands) {
          this.command(command);
          for (const { surface } of extentsOf(command)) this.uses(surface, step);
        }
        if (step.behind !== undefined) this.awaits(step.behind, step);
        if (step.fence !== undefined) this.give(step.fence);
        break;
      case 'signal':
        this.give(step.member);
        break;
      case 'wait':
        this.wait(step);
        if (step.error !== undefined) this.variables.delete(step.error.slot);
        break;
      case 'let': {
        this.look(step.value);
        const known = this.know(step.value);
        if (known === undefined) this.variables.delete(step.into.slot);
        else this.variables.set(step.into.slot, known);
        break;
      }
      case 'assert':
        this.look(step.condition);
        this.went(step, this.know(step.condition));
        break;
      case 'call':
        this.call(step);
        break;
    }
    return true;
  }

  /** Notes which way a condition goes: undefined where only a run knows. In procedures each call goes its own. */
  private went(step: Step, known: number | undefined): void {
    if (this.calls.length > 0) return;
    const ways = this.branches.get(step) ?? { yes: false, no: false };
    this.branches.set(step, ways);
    ways.yes ||= known !== 0;
    ways.no ||= known === 0 || known === undefined;
  }

  private call(step: Step & { kind: 'call' }): void {
    for (const { into, value } of step.given) {
      this.look(value);
      const known = this.know(value);
      if (known === undefined) this.variables.delete(into.slot);
      else this.variables.set(into.slot, known);
    }
    this.calls.push(step);
    this.run(step.body);
    this.calls.pop();
  }

  /** Where a problem is shown: what is met in a procedure is shown at its call, which gave it the values. */
  private shown(span: Span, message: string): { span: Span; message: string } {
    const [outer] = this.calls;
    const inner = this.calls.at(-1);
    if (outer === undefined || inner === undefined) return { span, message };
    return { span: outer, message: `in \`${inner.procedure}\`: ${message}` };
  }

  private map(step: Step & { kind: 'map' }): void {
    const start = this.know(step.start);
    const end = this.know(step.end);
    const { bytes, name } = step.surface;
    if (bytes === 0) return;
    this.bounds(step, start, end, bytes, `\`${name}\` has`);
    this.aligned(step, { start: step.start, end: end === bytes ? undefined : step.end });
    if (step.at !== undefined) this.aligned(step.at, { start: step.at, end: undefined });
    const { thread } = this;
    const all = { start: 0, end: Infinity, from: step.from, to: step.to };
    this.changed.set(step.into.slot, step.readonly ? [{ ...all, into: 'readonly', thread }] : []);
    if (start !== undefined && end !== undefined) {
      const pages = Math.ceil((end - start) / PAGE_SIZE);
      this.mapped.set(step.into.slot, pages * PAGE_SIZE);
    }
  }

  private remap({ mapping, at, into, error, from, to }: Step & { kind: 'remap' }): void {
    this.range(mapping);
    this.aligned(mapping, mapping);
    this.aligned(at, { start: at, end: undefined });
    const start = this.know(mapping.start);
    const size = this.mapped.get(mapping.mapping.slot);
    const end = mapping.end === undefined ? size : this.know(mapping.end);
    if (start !== undefined && end !== undefined) this.mapped.set(into.slot, end - start);
    const changed = this.changed.get(mapping.mapping.slot) ?? [];
    if (into === mapping.mapping) return;
    // A part that moves keeps what became of it; what it leaves behind is not there.
    const moved = changed.map((n) => ({
      ...n,
      start: n.start - (start ?? 0),
      end: n.end - (start ?? 0),
    }));
    this.changed.set(into.slot, moved);
    this.change({ mapping, error, from, to }, 'unmapped');
  }

  /** Notes what becomes of the pages of a range, as far as that is certain. */
  private change(
    {
      mapping: { mapping, ...range },
      error,
      from,
      to,
    }: Span & { readonly mapping: Range; readonly error: Variable | undefined },
    into: Changed['into'],
  ): void {
    const start = this.know(range.start);
    const end = range.end === undefined ? this.mapped.get(mapping.slot) : this.know(range.end);
    const notes = this.changed.get(mapping.slot) ?? [];
    this.changed.set(mapping.slot, notes);
    const sure = this.unsure === 0 && error === undefined && start !== undefined;
    const known = sure && end !== undefined;
    // What is not known may have changed anything.
    notes.push(
      known
        ? { start, end, into, thread: this.thread, from, to }
        : { start: 0, end: Infinity, into: 'unknown', thread: this.thread, from, to },
    );
  }

  /** An access to what is not there, or not allowed, ends with a signal; who names it expects that. */
  private access({
    kind,
    target,
    error,
  }: {
    readonly kind: 'write' | 'read';
    readonly target: Range;
    readonly error: Variable | undefined;
  }): void {
    const notes = this.changed.get(target.mapping.slot);
    const start = this.know(target.start);
    if (notes === undefined || error !== undefined || start === undefined) return;
    const last =
      target.end === undefined ? this.mapped.get(target.mapping.slot) : this.know(target.end);
    const end = last ?? start + 1;
    // Where pages can be other than those before them.
    const places = [start, ...notes.flatMap((n) => [n.start, n.end])].filter(
      (place) => start <= place && place < end,
    );
    const { name } = target.mapping;
    const signal = 'the access ends with SIGSEGV; to expect that, name it: `else signal`';
    for (const place of places) {
      const note = notes.findLast((n) => n.start <= place && place < n.end);
      // Another thread may come later, or earlier.
      if (note === undefined || (note.thread !== this.thread && note.thread >= 0)) continue;
      const where = place === start ? 'here' : `from ${showBytes(place)} on`;
      if (note.into === 'unmapped')
        this.tell(target, `\`${name}\` is not mapped ${where} any more: ${signal}${this.turn()}`);
      else if (note.into === 'none' || (note.into === 'readonly' && kind === 'write'))
        this.tell(
          target,
          `\`${name}\` is protected ${where}, \`${note.into}\`: ${signal}${this.turn()}`,
        );
    }
  }

  private aligned(
    span: Span,
    { start, end }: { readonly start: Value; readonly end: Value | undefined },
  ): void {
    for (const value of [start, end]) {
      const known = value && this.know(value);
      if (known !== undefined && known % PAGE_SIZE !== 0)
        this.tell(span, `a mapping begins and ends with a page; ${known} is no multiple of 4KiB`);
    }
  }

  private command(command: Command): void {
    switch (command.verb) {
      case 'draw':
        for (const extent of command.reads) this.extent(extent);
        for (const { extent, value } of command.writes) {
          this.extent(extent);
          if (value !== undefined) this.stored(value);
        }
        break;
      case 'copy':
        this.copy(command);
        break;
      case 'clear':
        this.extent(command.target);
        if (command.value !== undefined) this.stored(command.value);
        break;
      case 'drawBound':
        if (command.value !== undefined) this.stored(command.value);
        break;
      case 'bind':
        this.extent(command.extent);
        break;
      case 'unbind':
        break;
      default:
        this.extent(command.target);
    }
  }

  private copy({ source, target, from, to }: Command & { verb: 'copy' }): void {
    this.extent(source);
    const { bytes, name } = target.surface;
    const has = `\`${name}\` has`;
    const whole = { ...source, size: source.surface.bytes };
    this.fits({ from, to }, whole, target.start, { size: bytes, has });
    if (source.surface === target.surface) this.apart({ from, to }, whole, target.start);
  }

  /** A copy by the CPU. */
  private moved({ source, target, from, to }: Step & { kind: 'copy' }): void {
    this.range(source);
    this.look(target.start);
    const whole = { ...source, size: this.mapped.get(source.mapping.slot) };
    const size = this.mapped.get(target.mapping.slot);
    const has = `\`${target.mapping.name}\` maps`;
    if (size !== undefined) this.fits({ from, to }, whole, target.start, { size, has });
    if (source.mapping === target.mapping) this.apart({ from, to }, whole, target.start);
  }

  /** The first byte and the length of what is copied, where both are known. */
  private copied({ start, end, size }: Copied): { first: number; length: number } | undefined {
    const first = this.know(start);
    const last = end === undefined ? size : this.know(end);
    return first === undefined || last === undefined ? undefined : { first, length: last - first };
  }

  private fits(span: Span, source: Copied, to: Value, room: { size: number; has: string }): void {
    const copied = this.copied(source);
    const at = this.know(to);
    if (copied === undefined || at === undefined) return;
    const { length } = copied;
    if (at >= 0 && at + length <= room.size) return;
    const says = `${showBytes(length)} copied to ${showBytes(at)} do not fit`;
    this.tell(span, `${says}: ${room.has} ${showBytes(room.size)}${this.turn()}`);
  }

  private apart(span: Span, source: Copied, to: Value): void {
    const copied = this.copied(source);
    const at = this.know(to);
    if (copied === undefined || at === undefined) return;
    if (Math.abs(at - copied.first) >= copied.length) return;
    this.tell(span, `source and target overlap: one copies between ranges apart${this.turn()}`);
  }

  private give({ family, index }: Member): void {
    const known = this.know(index);
    const lists = [this.given.get(family), this.givenByThread(family)];
    if (known === undefined) for (const given of lists) given && (given.open = true);
    else if (known < 0 || known >= FAMILY_MAX)
      this.tell(
        index,
        `\`${family.name}\` is numbered from 0 to ${FAMILY_MAX - 1}; this is ${known}`,
      );
    else for (const given of lists) given?.indices.add(known);
  }

  /** What this thread gives of a family that others know, too. */
  private givenByThread(family: Family): Given | undefined {
    if (this.judged === undefined || !this.threads?.isShared(family)) return undefined;
    const given = this.judged.given.get(family) ?? { indices: new Set(), open: false };
    this.judged.given.set(family, given);
    return given;
  }

  private wait({ member, for: what, from, to }: Step & { kind: 'wait' }): void {
    this.awaits(member, { from, to }, what);
  }

  private awaits(member: Member, { from, to }: Span, what: Awaited['what'] = 'fence'): void {
    const index = this.know(member.index);
    if (index === undefined) return;
    const { span } = this.shown({ from, to }, '');
    const { family } = member;
    const awaited = {
      family,
      index,
      from: span.from,
      to: span.to,
      certain: this.unsure === 0,
      what,
    };
    this.awaited.push(awaited);
    if (this.threads?.isShared(family)) this.judged?.awaited.push(awaited);
  }

  private repeat(step: Step & { kind: 'repeat' }): boolean {
    const count = this.know(step.count);
    if (step.body.length > 0) this.went(step, count);
    if (count === undefined) {
      this.unsure++;
      this.variables.delete(step.counter.slot);
      this.run(step.body);
      this.unsure--;
      return true;
    }
    if (count > TURNS_MAX) {
      this.tell(step.count, `a block is repeated at most ${TURNS_MAX} times`);
      return true;
    }
    let more = true;
    this.counters.push(step.counter);
    for (let turn = 0; more && turn < count && this.complete; turn++) {
      this.variables.set(step.counter.slot, turn);
      more = this.run(step.body);
    }
    this.counters.pop();
    return more;
  }

  private branch(step: Step & { kind: 'if' }): boolean {
    this.look(step.condition);
    const known = this.know(step.condition);
    this.went(step, known);
    if (known !== undefined) return this.run(known !== 0 ? step.then : step.otherwise);
    this.unsure++;
    const then = this.run(step.then);
    const otherwise = this.run(step.otherwise);
    this.unsure--;
    return then || otherwise;
  }

  // Values and places.

  /** The value where it is known before the run. */
  private know(value: Value): number | undefined {
    switch (value.kind) {
      case 'number':
        return value.value;
      case 'variable':
        return this.variables.get(value.variable.slot);
      case 'negative': {
        const operand = this.know(value.operand);
        return operand === undefined ? undefined : -operand;
      }
      case 'not': {
        const operand = this.know(value.operand);
        return operand === undefined ? undefined : Number(operand === 0);
      }
      case 'binary': {
        const left = this.know(value.left);
        const right = this.know(value.right);
        if (left === undefined || right === undefined) return undefined;
        return apply(value.operator, left, right);
      }
      default:
        return undefined;
    }
  }

  private stored(value: Value): void {
    this.look(value);
    const known = this.know(value);
    if (known !== undefined && (known < 0 || known > 255))
      this.tell(value, `${known} does not fit a byte, 0 to 255${this.turn()}`);
  }

  private place(place: Place): void {
    if (place.of === 'mapping') this.range(place);
    else this.extent(place);
  }

  private range({ mapping, start, end, from, to }: Range): void {
    const size = this.mapped.get(mapping.slot);
    if (size === undefined) return;
    const last = end === undefined ? size : this.know(end);
    this.bounds({ from, to }, this.know(start), last, size, `\`${mapping.name}\` maps`);
  }

  private extent({ surface, start, end, from, to }: Extent): void {
    if (surface.bytes === 0) return;
    const last = end === undefined ? surface.bytes : this.know(end);
    this.bounds({ from, to }, this.know(start), last, surface.bytes, `\`${surface.name}\` has`);
  }

  private bounds(
    span: Span,
    start: number | undefined,
    end: number | undefined,
    size: number,
    has: string,
  ): void {
    const all = `${has} ${showBytes(size)}`;
    if (start !== undefined && start < 0)
      this.tell(span, `nothing is before byte 0; this begins at ${start}${this.turn()}`);
    else if (start !== undefined && start >= size)
      this.tell(span, `${all}; this begins at ${showBytes(start)}${this.turn()}`);
    else if (end !== undefined && end > size)
      this.tell(span, `${all}; this ends at ${showBytes(end)}${this.turn()}`);
    else if (start !== undefined && end !== undefined && end <= start)
      this.tell(span, `this range is empty: it ends where it begins, or before${this.turn()}`);
  }

  /** In which turn of the loops around it something was met. */
  private turn(): string {
    const named = this.counters.filter(({ name }) => name !== '');
    if (named.length === 0) return '';
    const turns = named.map(({ name, slot }) => `${name} = ${this.variables.get(slot) ?? '?'}`);
    return ` (with ${turns.join(', ')})`;
  }

  /** One problem a place: later turns would only repeat it. */
  private tell({ from, to }: Span, text: string): void {
    const key = `${this.calls.map((call) => call.from)} ${from}:${to}`;
    if (this.told.has(key)) return;
    this.told.add(key);
    const severity: Severity = this.unsure === 0 ? 'error' : 'warning';
    const { span, message } = this.shown({ from, to }, text);
    this.report({ from: span.from, to: span.to }, message, severity);
  }
}
