// A rehearsal: every thread is gone through once, alone, with the values that are known beforehand. What it
// meets is exact where conditions are known (loops, constants, arithmetic on them): ranges out of bounds,
// fences that nobody submits, how many fences a name stands for. Behind a condition that only the run decides
// both ways are gone, and what is found there is a warning.
import { removed } from '../base/fixes';
import type { Span } from '../base/text';
import { PAGE_SIZE, showBytes } from '../syntax/numbers';
import { apply } from './evaluate';
import type {
  Command,
  Extent,
  Family,
  Member,
  Place,
  ProcessMeaning,
  Range,
  ScenarioMeaning,
  Step,
  Value,
  Variable,
} from './meaning';
import type { Report, Severity } from './names';
import { partsOf } from './statements';

/** How many fences or events a name stands for. */
export type FamilySizes = (family: Family) => number;

const STEPS_MAX = 50_000;
const TURNS_MAX = 1_000_000;
const FAMILY_MAX = 4096;

/** Members that a family was given, and whether some could not be known. */
interface Given {
  readonly indices: Set<number>;
  open: boolean;
}

interface Awaited {
  readonly member: Member;
  readonly index: number;
  readonly span: Span;
  readonly certain: boolean;
  readonly what: 'fence' | 'event';
}

/**
 * Goes through all threads; reports what cannot work. With `partial` some statements are left out because they
 * have problems of their own: then nobody knows what is never submitted.
 */
export function rehearse(meaning: ScenarioMeaning, report: Report, partial: boolean): FamilySizes {
  const given = new Map<Family, Given>();
  for (const family of [...meaning.fences, ...meaning.events])
    given.set(family, { indices: new Set(), open: false });
  const awaited: Awaited[] = [];
  let complete = true;
  for (const process of meaning.processes) {
    const rehearsal = new Rehearsal(given, awaited, report);
    rehearsal.process(process);
    complete &&= rehearsal.complete;
    for (const property of meaning.properties) rehearsal.look(property.condition);
  }
  if (complete && !partial) reportUnmet(awaited, given, report);
  return (family) => Math.min(FAMILY_MAX, 1 + Math.max(0, ...(given.get(family)?.indices ?? [])));
}

/** Waiting for what no path brings about would never end. */
function reportUnmet(
  awaited: readonly Awaited[],
  given: ReadonlyMap<Family, Given>,
  report: Report,
): void {
  const told = new Set<number>();
  for (const { member, index, span, certain, what } of awaited) {
    const { name } = member.family;
    const known = given.get(member.family);
    if (known === undefined || known.open || known.indices.has(index)) continue;
    if (told.has(span.from)) continue;
    told.add(span.from);
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

class Rehearsal {
  private readonly variables = new Map<number, number>();
  /** Bytes of each mapping, by slot. */
  private readonly mapped = new Map<number, number>();
  private readonly told = new Set<string>();
  private readonly counters: Variable[] = [];
  private steps = 0;
  /** Deeper than 0: behind a condition that is not known. */
  private unsure = 0;

  constructor(
    private readonly given: ReadonlyMap<Family, Given>,
    private readonly awaited: Awaited[],
    private readonly report: Report,
  ) {}

  get complete(): boolean {
    return this.steps <= STEPS_MAX;
  }

  process({ setup, threads }: ProcessMeaning): void {
    this.run(setup);
    for (const thread of threads) this.run(thread.body);
  }

  /** Checks every place that an expression looks at. */
  look(value: Value): void {
    if (value.kind === 'bytes') this.place(value.place);
    else if (value.kind === 'same') {
      this.place(value.left);
      this.place(value.right);
    } else if (value.kind === 'pte') {
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

  private run(steps: readonly Step[]): void {
    for (const step of steps) {
      if (++this.steps > STEPS_MAX) return;
      this.step(step);
    }
  }

  private step(step: Step): void {
    switch (step.kind) {
      case 'map':
        this.map(step);
        break;
      case 'unmap':
        this.range(step.mapping);
        this.aligned(step.mapping, step.mapping);
        break;
      case 'write':
        this.range(step.target);
        if (step.value !== undefined) this.stored(step.value);
        break;
      case 'read':
        this.range(step.target);
        if (step.into !== undefined) this.variables.delete(step.into.slot);
        break;
      case 'submit':
        for (const command of step.commands) this.command(command);
        if (step.fence !== undefined) this.give(step.fence);
        break;
      case 'signal':
        this.give(step.member);
        break;
      case 'wait':
        this.wait(step);
        break;
      case 'let': {
        this.look(step.value);
        const known = this.know(step.value);
        if (known === undefined) this.variables.delete(step.into.slot);
        else this.variables.set(step.into.slot, known);
        break;
      }
      case 'repeat':
        this.repeat(step);
        break;
      case 'if':
        this.branch(step);
        break;
      case 'assert':
        this.look(step.condition);
        break;
    }
  }

  private map(step: Step & { kind: 'map' }): void {
    const start = this.know(step.start);
    const end = this.know(step.end);
    const { bytes, name } = step.surface;
    if (bytes === 0) return;
    this.bounds(step, start, end, bytes, `\`${name}\` has`);
    this.aligned(step, { start: step.start, end: end === bytes ? undefined : step.end });
    if (start !== undefined && end !== undefined) {
      const pages = Math.ceil((end - start) / PAGE_SIZE);
      this.mapped.set(step.into.slot, pages * PAGE_SIZE);
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
      default:
        this.extent(command.target);
    }
  }

  private copy({ source, target, from, to }: Command & { verb: 'copy' }): void {
    this.extent(source);
    const start = this.know(source.start);
    const end = source.end === undefined ? source.surface.bytes : this.know(source.end);
    const at = this.know(target.start);
    if (start === undefined || end === undefined || at === undefined) return;
    const size = target.surface.bytes;
    if (at < 0 || at + (end - start) > size)
      this.tell(
        { from, to },
        `${showBytes(end - start)} copied to ${showBytes(at)} do not fit: \`${target.surface.name}\` has ${showBytes(size)}`,
      );
    else if (source.surface === target.surface && Math.abs(at - start) < end - start)
      this.tell(
        { from, to },
        `source and target overlap: the device copies between ranges apart${this.turn()}`,
      );
  }

  private give({ family, index }: Member): void {
    const given = this.given.get(family);
    const known = this.know(index);
    if (given === undefined) return;
    if (known === undefined) given.open = true;
    else if (known < 0 || known >= FAMILY_MAX)
      this.tell(
        index,
        `\`${family.name}\` is numbered from 0 to ${FAMILY_MAX - 1}; this is ${known}`,
      );
    else given.indices.add(known);
  }

  private wait({ member, for: what, from, to }: Step & { kind: 'wait' }): void {
    const index = this.know(member.index);
    if (index === undefined) return;
    this.awaited.push({ member, index, span: { from, to }, certain: this.unsure === 0, what });
  }

  private repeat(step: Step & { kind: 'repeat' }): void {
    const count = this.know(step.count);
    if (count === undefined) {
      this.unsure++;
      this.variables.delete(step.counter.slot);
      this.run(step.body);
      this.unsure--;
      return;
    }
    if (count > TURNS_MAX) {
      this.tell(step.count, `a block is repeated at most ${TURNS_MAX} times`);
      return;
    }
    this.counters.push(step.counter);
    for (let turn = 0; turn < count && this.complete; turn++) {
      this.variables.set(step.counter.slot, turn);
      this.run(step.body);
    }
    this.counters.pop();
  }

  private branch(step: Step & { kind: 'if' }): void {
    this.look(step.condition);
    const known = this.know(step.condition);
    if (known !== undefined) this.run(known !== 0 ? step.then : step.otherwise);
    else {
      this.unsure++;
      this.run(step.then);
      this.run(step.otherwise);
      this.unsure--;
    }
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
  private tell({ from, to }: Span, message: string): void {
    if (this.told.has(`${from}:${to}`)) return;
    this.told.add(`${from}:${to}`);
    const severity: Severity = this.unsure === 0 ? 'error' : 'warning';
    this.report({ from, to }, message, severity);
  }
}
