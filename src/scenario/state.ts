// What a scenario itself keeps while it runs: variables of its processes, handles of surfaces and fences, events. One
// static struct, so that it is shown, hashed and rolled back like everything else.
import { assert } from '../base/assert';
import type { Engine } from '../routine/engine';
import { type LockView, sleepingLock } from '../routine/locks';
import type { LoggedEvent } from '../state/events';
import { array, type Field, int, long, type Slot, type Struct, structOf } from '../state/layout';
import type { StaticSize } from '../state/objects';
import {
  askedSurfaces,
  createdLate,
  exportedFences,
  type Family,
  isLocal,
  type ScenarioMeaning,
  type Variable,
} from './meaning';

/** Name of the static. */
export const scenarioStatic = 'scenario';

/** The lock of the application under which surfaces are made in the middle of a run. */
export const creating = 'creating surfaces';

/** The name of the field of a process's variable, or of one that is kept. */
export const fieldName = (v: Variable): string =>
  v.thread === undefined ? `${v.process}.${v.name}` : `${v.process}.${v.thread}.${v.name}`;

/** The field of a family of fences or events; a blank keeps it apart from what no scenario names. */
export const familyField = (f: Family): string => `family ${f.name}`;

/** The fields beside a mapping's own that say which bytes of its surface it has; `name` is that of its field. */
export const mappedFields = (name: string) => ({
  start: `(start of ${name})`,
  bytes: `(bytes of ${name})`,
});

/** The struct of a scenario's own state. */
export function scenarioStruct(meaning: ScenarioMeaning): Struct {
  const slots: Slot[] = [];
  const exported = exportedFences(meaning);
  let offset = 0;
  const add = (
    name: string,
    field: Field<never> | Field<number> | Field<unknown>,
    group: string,
  ) => {
    slots.push({ name, offset, field: field as Field<unknown>, group });
    offset += field.cells;
  };
  add('stores', int, 'shared'); // number of the last store that got a value of its own
  add('submissions', int, 'shared');
  add('ready', int, 'shared'); // processes whose own statements have run
  add('loaded', array(int, tasksOf(meaning)) as Field<unknown>, 'fixed');
  for (const { name, forks } of meaning.processes) {
    if (forks === undefined) continue;
    add(`forked ${name}`, int, 'shared'); // the task that did it, plus 1
    add(`ready ${name}`, int, 'shared'); // the task of its own statements, plus 1
  }
  for (const s of meaning.surfaces) add(`surface ${s.name}`, int, 'fixed'); // handle
  if (createdLate(meaning).size > 0)
    add(creating, sleepingLock(creating) as Field<unknown>, 'private');
  for (const name of askedSurfaces(meaning)) add(`used ${name}`, int, 'shared'); // the last submission
  for (const v of meaning.variables) {
    if (!isLocal(v)) add(fieldName(v), long, 'fixed');
    if (!isLocal(v) && v.type === 'mapping') {
      for (const name of Object.values(mappedFields(fieldName(v)))) add(name, int, 'fixed');
    }
  }
  // A fence is a handle plus 1, then its submission, then its sync file plus 1; an event is the task that signaled it plus 1.
  for (const f of meaning.fences) {
    add(familyField(f), array(int, f.size) as Field<unknown>, 'shared');
    add(`${familyField(f)} submission`, array(int, f.size) as Field<unknown>, 'shared');
    if (exported.has(f.name))
      add(`${familyField(f)} file`, array(int, f.size) as Field<unknown>, 'shared');
  }
  for (const f of meaning.events)
    add(familyField(f), array(int, f.size) as Field<unknown>, 'shared');
  return structOf('scenario', slots, offset);
}

/** Tasks there can be: of each process its own statements and its threads. */
const tasksOf = ({ processes }: ScenarioMeaning): number =>
  processes.reduce((sum, { threads }) => sum + 1 + threads.length, 0);

export function scenarioStaticSize(struct: Struct): StaticSize {
  return { name: scenarioStatic, struct };
}

/** Reads and writes the scenario's state in an engine. */
export class ScenarioState {
  private readonly base: number;

  constructor(
    private readonly k: Engine,
    private readonly struct: Struct,
  ) {
    this.base = k.objects.staticNamed(scenarioStatic).at;
    k.listeners.push((event) => this.hear(event));
  }

  /** The first byte that the loads of a statement have seen: plus 1, and 0 before them. */
  private hear({ name, task, args }: LoggedEvent): void {
    if (name !== 'cpu_load') return;
    const at = this.at('loaded', task);
    if (this.k.store.peek(at) === 0) this.k.store.put(at, Number(args['value']) + 1);
  }

  /** Takes the byte that a task's statement has loaded. */
  takeLoaded(task: number): number {
    const at = this.at('loaded', task);
    const byte = this.k.store.peek(at) - 1;
    this.k.store.put(at, 0);
    return byte;
  }

  /** Address of a field, or of an element of it. */
  at(name: string, index = 0): number {
    const { offset, field } = this.struct.slot(name);
    const size = field.element?.cells ?? field.cells;
    assert(
      index >= 0 && (index + 1) * size <= Math.max(field.cells, size),
      `an element of ${name}`,
    );
    return this.base + offset + index * size;
  }

  get(name: string): number {
    const { field } = this.struct.slot(name);
    return field.get(this.k.store, this.at(name)) as number;
  }

  set(name: string, value: number): void {
    const { field } = this.struct.slot(name);
    field.set(this.k.store, this.at(name), value);
  }

  /** A lock among the fields. */
  lock(name: string): LockView {
    return this.struct.slot(name).field.get(this.k.store, this.at(name)) as LockView;
  }

  /** A member of a family of fences or events; looked at, not accessed. */
  peekMember(family: Family, index: number, suffix = ''): number {
    if (index < 0 || index >= family.size) return 0;
    return this.k.store.peek(this.at(familyField(family) + suffix, index));
  }

  setMember(family: Family, index: number, value: number, suffix = ''): void {
    this.k.store.write(this.at(familyField(family) + suffix, index), value);
  }
}
