// Checks what the rules of routines ask of every operation, for tests and for runs that can afford it: at most one
// access to shared state a step, no protected field without its lock, decisions on the frame alone, no use of a freed
// object. The explorer trusts these rules: a race hidden inside a step would be invisible to it.
import type { AccessObserver } from '../state/store';
import type { Engine } from './engine';
import { Code, type Op, type RoutineCode } from './program';

/** Which rule an operation broke. `use-after-free` and `no-lock` may be defects of the emulated kernel. */
export type Rule =
  | 'one-access'
  | 'no-lock'
  | 'read-lock'
  | 'frame-only'
  | 'look-only'
  | 'use-after-free';

export interface Broken {
  readonly rule: Rule;
  readonly routine: string;
  readonly op: string;
  readonly message: string;
}

/** What a region outside pools, statics and stacks means: which cells are one access, and whether they are shared. */
export interface RegionRule {
  readonly region: string;
  readonly shared: boolean;
  readonly unit: number; // cells that count as one access
}

export class Checker implements AccessObserver {
  readonly broken: Broken[] = [];
  private engine: Engine | undefined;
  private task = 0;
  private code: RoutineCode | undefined;
  private op: Op | undefined;
  private condition = false;
  private readonly accesses = new Map<string, string>();
  private readonly fresh: { at: number; end: number }[] = [];

  constructor(private readonly regions: readonly RegionRule[] = []) {}

  /** An object allocated in this step is nobody else's yet. */
  allocated(struct: string, at: number): void {
    const stride = this.engine?.objects.pool(struct).stride ?? 0;
    this.fresh.push({ at, end: at + stride });
  }

  begin(engine: Engine, task: number, code: RoutineCode, op: Op): void {
    this.engine = engine;
    this.task = task;
    this.code = code;
    this.op = op;
    this.condition = false;
    this.accesses.clear();
    this.fresh.length = 0;
    engine.store.observer = this;
  }

  beginCondition(engine: Engine, code: RoutineCode, op: Op): void {
    this.begin(engine, engine.task, code, op);
    this.condition = true;
  }

  end(): void {
    if (this.engine !== undefined) this.engine.store.observer = undefined;
    const limit = this.op?.manner === 'atomic' ? 1 : 0;
    const units = new Set([...this.accesses.keys()].map((key) => key.slice(1)));
    const tooMany = limit === 1 ? units.size > 1 : this.accesses.size > 1;
    if (tooMany) {
      this.report(
        'one-access',
        `accesses ${[...this.accesses.values()].join(' and ')} in one step`,
      );
    }
    this.accesses.clear();
  }

  read(at: number): void {
    this.access(at, 'r');
  }

  write(at: number): void {
    this.access(at, 'w');
  }

  private access(at: number, how: 'r' | 'w'): void {
    const engine = this.engine!;
    if (how === 'w' && this.condition) {
      this.report('look-only', 'changes something in a condition');
      return;
    }
    if (engine.stackOwner(at) === this.task) return;
    if (this.fresh.some((f) => at >= f.at && at < f.end)) return;
    const place = engine.objects.describe(at);
    if (place === undefined) {
      this.inRegion(at, how);
      return;
    }
    const { struct, slot, object } = place;
    const name = `${struct.name}.${slot.name}`;
    if (!place.live) this.report('use-after-free', `uses ${name} of a freed object`);
    if (how === 'w' && this.op?.code !== Code.step) {
      this.report('look-only', `writes ${name} outside of a step`);
      return;
    }
    if (slot.group === 'fixed' || slot.group === 'private') return;
    if (this.condition) {
      this.report('frame-only', `decides on ${name}; read it in a step first`);
      return;
    }
    if (slot.group !== 'shared') {
      const mode = this.holds(slot.group);
      if (mode === 'write' || (mode === 'read' && how === 'r')) return;
      if (mode === 'read') {
        this.report('read-lock', `writes ${name} with ${slot.group} held for reading`);
        return;
      }
      if (!(this.op?.manner === 'unlocked' && how === 'r')) {
        this.report('no-lock', `touches ${name} without ${slot.group}`);
        return;
      }
    }
    const element = slot.field.element;
    const unit =
      element === undefined
        ? 0
        : Math.floor((at - object - slot.offset) / Math.max(1, element.cells));
    this.accesses.set(
      `${how}${object} ${slot.name} ${unit}`,
      `${how === 'r' ? 'reads' : 'writes'} ${name}`,
    );
  }

  private inRegion(at: number, how: 'r' | 'w'): void {
    const engine = this.engine!;
    const region = engine.store.regions.find((r) => at >= r.base && at < r.base + r.cells);
    const rule = this.regions.find((r) => r.region === region?.name);
    if (region === undefined || rule?.shared === false) return;
    if (this.condition)
      this.report('frame-only', `decides on ${region.name}; read it in a step first`);
    const unit = rule === undefined ? at : Math.floor((at - region.base) / rule.unit);
    this.accesses.set(
      `${how}${region.name} ${unit}`,
      `${how === 'r' ? 'reads' : 'writes'} ${region.name} ${unit}`,
    );
  }

  /**
   * The strongest mode in which the task holds a lock of the group. `a|b`: either lock for reading, both for writing.
   */
  private holds(group: string): 'read' | 'write' | undefined {
    const held = this.engine!.held(this.task);
    const modes = group.split('|').map((lockClass) => {
      const of = held.filter((h) => this.engine!.lockClass(h.at) === lockClass).map((h) => h.mode);
      return of.includes('write') ? 'write' : of[0];
    });
    if (modes.every((mode) => mode === 'write')) return 'write';
    return modes.some((mode) => mode !== undefined) ? 'read' : undefined;
  }

  private report(rule: Rule, message: string): void {
    const routine = this.code?.routine.name ?? '?';
    const op = this.op?.text ?? '?';
    if (this.broken.some((b) => b.rule === rule && b.routine === routine && b.op === op)) return;
    this.broken.push({ rule, routine, op, message: `${routine}: ${op}: ${message}` });
  }
}
