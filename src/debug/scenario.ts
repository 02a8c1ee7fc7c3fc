// A scenario as the debugger's debuggee: loads it, evaluates what the user types, puts names to addresses.
import { lineStarts, positionAt } from '../base/text';
import { peekEntry } from '../hardware/mmu';
import { expectations } from '../scenario/expectations';
import type { Thing } from '../scenario/expressions';
import { type Loaded, loadScenario } from '../scenario/load';
import { type Located, locate } from '../scenario/located';
import { createdLate } from '../scenario/meaning';
import { formProblem, resolveWatch, watch } from '../scenario/watch';
import type { LoggedEvent } from '../state/events';
import { isNull, pte, structNamed } from '../state/layout';
import type { Debuggee, Evaluated, Finding, Load, Verdict, Where } from './debuggee';

/** Loads a scenario for debugging. */
export const loadDebuggee: Load = (path, text, options, read) => {
  const loaded = loadScenario(text, options, read && { path, read });
  if ('run' in loaded) return debuggeeOf(path, text, loaded);
  const starts = lineStarts(text);
  const found = loaded.checked.diagnostics
    .filter((d) => d.severity === 'error')
    .map((d) => ({ message: d.message, ...positionAt(starts, d.from) }));
  return [...found, ...loaded.problems.map((message) => ({ message }))];
};

/** A loaded scenario as a debuggee. */
export const debuggeeOf = (path: string, text: string, loaded: Loaded): Debuggee =>
  new ScenarioDebuggee(path, text, loaded);
/** The looks at an entry of a page table, from the root down. */
const levelsOf = ['pgd', 'pud', 'pmd', 'pte'];

/** The names of a place that are numbers. */
const numbersOf =
  ({ lookup }: Where) =>
  (name: string): number | undefined => {
    const value = lookup(name);
    if (typeof value === 'boolean') return Number(value);
    return typeof value === 'number' ? value : undefined;
  };

class ScenarioDebuggee implements Debuggee {
  readonly engine;
  readonly name;
  readonly made = undefined;
  readonly target = undefined;
  readonly threads;
  readonly schedule;
  readonly locations;
  private readonly late;

  constructor(
    readonly path: string,
    readonly text: string,
    private readonly loaded: Loaded,
  ) {
    const { run, meaning, schedule } = loaded;
    this.engine = run.engine;
    this.name = meaning.title;
    this.schedule = schedule;
    this.locations = run.locations;
    const late = createdLate(meaning);
    this.late = meaning.surfaces.filter((surface) => late.has(surface));
    this.threads = run.threads.map((task) => {
      const cpu = this.engine.cpuOf(task);
      const name = this.engine.taskName(task);
      return { task, name: cpu < 0 ? name : `${name} on cpu${cpu}` };
    });
  }

  get done(): boolean {
    return this.loaded.run.done;
  }

  get files() {
    const { parts } = this.loaded.checked.sources;
    return parts.map(({ path = this.path, text }) => ({ path, text }));
  }

  placeAt(offset: number) {
    const { path = this.path, line, column } = this.loaded.checked.sources.placeAt(offset);
    return { path, line, column };
  }

  evaluate(expression: string, where: Where): Evaluated {
    const { run, resolved } = this.loaded;
    const direct = where.lookup(expression.trim());
    if (direct !== undefined) return { value: direct };
    const place = Math.max(0, run.placeOf(where.task));
    const watched = watch(expression, resolved.notes, place, run.look, numbersOf(where));
    return 'thing' in watched ? this.thingShown(watched.thing) : watched;
  }

  locate(expression: string, where: Where): Located {
    const { run, resolved } = this.loaded;
    const place = Math.max(0, run.placeOf(where.task));
    const found = resolveWatch(expression, resolved.notes, place, numbersOf(where));
    return 'error' in found ? found : locate(run, found);
  }

  check(expression: string): string | undefined {
    return formProblem(expression);
  }

  finding(event: LoggedEvent): Finding | undefined {
    const { contract } = this.loaded.run;
    if (event.name === 'violation' || event.name === 'race') {
      const found = contract.findings()[Number(event.args.index)];
      if (found === undefined) return undefined;
      return { message: `${found.kind}: ${contract.tell(found).message}`, causes: found.cause };
    }
    const { message } = event.args;
    return typeof message === 'string' ? { message, causes: [] } : undefined;
  }

  describe(address: number, task: number): string | undefined {
    const { meaning, run } = this.loaded;
    const process = run.processOf(task);
    for (const v of meaning.variables) {
      if (v.mapping === undefined || v.process !== process) continue;
      const base = run.look.variable(v);
      const { bytes } = run.look.mapped(v);
      if (base === 0 || address < base || address >= base + bytes) continue;
      return `page ${Math.floor((address - base) / 4096)} of ${v.name} (${v.mapping.surface.name})`;
    }
    return undefined;
  }

  nameOf(struct: string, at: number): string | undefined {
    return this.loaded.run.nameOf(struct, at);
  }

  absent(): readonly string[] {
    const { state } = this.loaded.run;
    const isThere = (name: string) => state.get(`surface ${name}`) > 0;
    return this.engine.store.unobserved(() =>
      this.late.flatMap(({ name }) => (isThere(name) ? [] : [name])),
    );
  }

  verdict(): Verdict {
    const { run } = this.loaded;
    const problems = run.problems(run.isOver);
    const verdict = run.verdict(run.isOver, problems);
    const lines = problems.flatMap((p) => [
      `${p.path === undefined ? '' : `${p.path}, `}line ${p.line}: ${p.kind}: ${p.message}`,
      ...p.cause.map((c) => `    ${c}`),
    ]);
    const expected = run.expected().map((p) => `line ${p.line}: expected, ${p.kind}: ${p.message}`);
    const races = run.races().map((r) => `line ${r.line}: ${r.message}`);
    const exitCode = verdict === 'holds' ? 0 : verdict === 'violated' ? 1 : 3;
    return {
      lines: [...lines, ...expected, ...races, `${this.name}: ${verdict}`],
      exitCode,
      expectations: run.isOver ? expectations(run, this.text.length) : [],
    };
  }

  /** What stands behind a name that has no value of its own. */
  private thingShown(thing: Thing): Evaluated {
    const { run } = this.loaded;
    switch (thing.kind) {
      case 'behind': {
        const { look, mapping } = thing;
        const offset = run.evaluate(thing.offset);
        if (look === 'vma') {
          const vma = run.where.vma(mapping, offset);
          return vma === undefined
            ? { error: 'nothing is mapped there' }
            : { value: { struct: structNamed('vm_area_struct'), at: vma.at } };
        }
        const level = levelsOf.indexOf(look);
        if (level < 0) break;
        const address = run.look.variable(mapping) + offset;
        const found = peekEntry(this.engine, run.where.root(mapping.process), address, level);
        return found === undefined
          ? { error: 'there is no page table for this page yet' }
          : { value: { field: pte, at: found.at } };
      }
      case 'mapping':
        return { value: run.look.variable(thing.mapping) };
      case 'surface':
      case 'device':
      case 'tracker': {
        const bo = run.where.object(thing.surface);
        if (isNull(bo)) return { error: `${thing.surface.name} does not exist yet` };
        if (thing.kind !== 'tracker') {
          return { value: { struct: structNamed('vmw_buffer_object'), at: bo.at } };
        }
        return isNull(bo.dirty)
          ? { value: 'not tracked' }
          : { value: { struct: structNamed('vmw_bo_dirty'), at: bo.dirty.at } };
      }
    }
    const located = locate(run, { thing });
    const location = 'id' in located ? this.locations.at(located.id) : located.error;
    if (typeof location !== 'string') return { value: location.text() };
    return { error: 'this has no value; ask for one of its fields' };
  }
}
