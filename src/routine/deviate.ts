// Changes to the table of a routine that nobody has written: what an operation does by its text is left out, changes
// places, decides otherwise or comes to another value. Settled while a program is built; a program without any pays
// nothing.
import {
  type Field,
  isField,
  NULL,
  NullPointer,
  type Ref,
  type Slot,
  type Struct,
  structNamed,
  type U64,
} from '../state/layout';
import type { AccessObserver } from '../state/store';
import type { Engine } from './engine';
import type { Frame, RoutineCode } from './program';
import type { CallNode, Deviation, Node, RetNode, StepNode, WhenNode } from './routine';

export type OneNode = Exclude<Node, readonly Node[]>;

export const flat = (nodes: readonly unknown[]): readonly OneNode[] =>
  nodes.flat(Number.POSITIVE_INFINITY) as OneNode[];

const operations = ['step', 'acquire', 'trylock', 'release', 'wait', 'choose', 'call', 'ret'];

export const isOperation = (node: OneNode | undefined): boolean =>
  node !== undefined && operations.includes(node.kind);

/** The name by which the value that a routine gives back is changed. */
const RETURN = 'return';

const names = (matches: Iterable<RegExpMatchArray>): string[] =>
  [...matches].map(([, name = '']) => name);

/** What an operation calls, by its text: `f(…)`. */
const callsIn = (text: string): string[] => names(text.matchAll(/\b(\w+)\(/g));

/** What an operation sets, by its text: `x = …`, `a->x++`, `--x`. */
const setsIn = (text: string): string[] => [
  ...names(text.matchAll(/\b(\w+)(?:\[[^\]]*\])?\s*(?:[|&+-]?=(?!=)|\+\+|--)/g)),
  ...names(text.matchAll(/(?:\+\+|--)(?:\w+(?:->|\.))*(\w+)/g)),
];

/** What an operation does, by its text: names that it calls, and that it sets. */
export const deedsIn = (text: string): string[] => [...callsIn(text), ...setsIn(text)];

/** The words of a condition. */
export const wordsIn = (text: string): string[] => text.match(/[A-Za-z_]\w*/g) ?? [];

/** Whether a node is an operation that calls or sets `name`. */
const does = (n: OneNode, name: string): boolean =>
  isOperation(n) && n.kind !== 'ret' && deedsIn((n as StepNode<Frame>).text).includes(name);

/** Whether a node, or one below it, is such an operation. */
const holds = (n: OneNode, name: string): boolean =>
  does(n, name) || partsOf(n).some((part) => holds(part, name));

function partsOf(n: OneNode): readonly OneNode[] {
  if (n.kind === 'when') return flat([n.then, n.otherwise ?? []]);
  return n.kind === 'loop' || n.kind === 'statement' ? flat(n.body) : [];
}

/** What `plus_N`, `minus_N`, `is_N`, `not` make of a value, where N is known. */
type Changed = (value: unknown, frame: Ref) => unknown;

/** What a change needs to be told of: a number, or a cell that a frame leads to. */
type Operand = (frame: Ref) => number | Ref;

/**
 * N of a change: a number, a variable of the routine, or a field of what one of them points to, or of what that does; the
 * nearest that has the name. Undefined: there is none.
 */
function operandOf({ frame }: RoutineCode, name: string): Operand | undefined {
  if (/^\d+$/.test(name)) return () => Number(name);
  /** Where a struct is, from a frame. */
  type Way = (frame: Ref) => number;
  const own: Way = ({ at }) => at;
  let reached: [Struct, Way][] = [[frame, own]];
  for (let depth = 0; depth <= 2; depth++) {
    const behind: [Struct, Way][] = [];
    for (const [struct, way] of reached)
      for (const { name: called, offset, field } of cellsOf(struct)) {
        if (called === name && isChangeable(field))
          return (f) => field.get(f.store, way(f) + offset) as number | Ref;
        if (field.kind !== 'ref') continue;
        behind.push([
          structNamed(field.of!),
          (f) => {
            const object = f.store.read(way(f) + offset);
            if (object === 0) throw new NullPointer(`${called}->${name}`);
            return object;
          },
        ]);
      }
    reached = behind;
  }
  return undefined;
}

/** The fields of a struct, those of what is embedded in it among them. */
function* cellsOf(struct: Struct, base = 0): Generator<Pick<Slot, 'name' | 'offset' | 'field'>> {
  for (const { name, offset, field } of struct.slots)
    if (field.kind === 'embed') yield* cellsOf(structNamed(field.of!), base + offset);
    else yield { name, offset: base + offset, field };
}

const numbers = ['int', 'u32', 'long', 'flags', 'enum'];
const isChangeable = ({ kind }: Field<unknown>): boolean =>
  numbers.includes(kind) || ['bool', 'ref', 'u64', 'pte'].includes(kind);

/** How a value of a field's kind is changed; undefined: it is not, so. */
export function changeOf(
  code: RoutineCode,
  { kind }: Field<unknown>,
  change: string,
): Changed | undefined {
  const [how = '', ...rest] = change.split('_');
  const by = how === 'not' ? () => 0 : operandOf(code, rest.join('_'));
  if (by === undefined) return undefined;
  const sign = how === 'minus' ? -1 : 1;
  const amount: Changed = (_value, frame) => Number(by(frame));
  if (kind === 'ref') {
    if (how !== 'is') return undefined;
    return (_value, frame) => {
      const to = by(frame);
      return typeof to === 'object' ? to : NULL;
    };
  }
  if (kind === 'bool') {
    if (how === 'not') return (value) => value !== true;
    return how === 'is' ? (value, frame) => amount(value, frame) !== 0 : undefined;
  }
  if (kind === 'u64' || kind === 'pte') {
    if (how === 'not') return undefined;
    return (value, frame) => {
      const { lo, hi } = how === 'is' ? { lo: 0, hi: 0 } : (value as U64);
      const sum = (lo >>> 0) + sign * Number(by(frame));
      return { lo: sum | 0, hi: hi + Math.floor(sum / 2 ** 32) };
    };
  }
  if (!numbers.includes(kind)) return undefined;
  if (how === 'not') return (value) => Number(value === 0);
  if (how === 'is') return amount;
  return (value, frame) => Number(value) + sign * Number(by(frame));
}

/** The deviations of one routine while its table is made; those that something answers to go to `met`. */
export class Deviations {
  private readonly here: readonly Deviation[];
  private readonly places = new Map<Deviation, number>();

  constructor(
    private readonly code: RoutineCode,
    all: readonly Deviation[],
    private readonly met: Set<Deviation>,
    private readonly called: (name: string) => readonly RoutineCode[],
  ) {
    this.here = all.filter(({ kind, of }) => kind !== 'set' && of === code.routine.name);
  }

  /** Those of the kinds to which a place answers, when it is the one that they mean. */
  private answering(answers: (d: Deviation) => boolean): Deviation[] {
    return this.here.filter((d) => {
      if (!answers(d)) return false;
      const place = (this.places.get(d) ?? 0) + 1;
      this.places.set(d, place);
      return d.place === undefined || d.place === place;
    });
  }

  /** A list of operations in the order that is asked for. */
  order(list: readonly Node[]): readonly Node[] {
    if (this.here.length === 0) return list;
    const nodes = [...flat(list)];
    for (const swap of this.here.filter((d) => d.kind === 'swap' && !this.met.has(d))) {
      const [a = -1, b = -1] = swap.names.map((one) => nodes.findIndex((n) => holds(n, one)));
      const below = nodes.some((n) => swap.names.every((one) => holds(n, one)));
      if (a < 0 || b < 0 || below) continue;
      [nodes[a], nodes[b]] = [nodes[b]!, nodes[a]!];
      this.met.add(swap);
    }
    return nodes;
  }

  /** A node as it is to be. What is left out stays as a step, so that tables and places keep their form. */
  node(n: OneNode): OneNode {
    if (this.here.length === 0) return n;
    const omissions = this.answering((d) => d.kind === 'omit' && does(n, d.names[0]!));
    for (const omission of omissions) this.met.add(omission);
    if (omissions.length > 0) {
      const { text } = n as StepNode<Frame>;
      return { kind: 'step', text: `/* left out: ${text} */`, manner: 'plain', run: () => {} };
    }
    if (n.kind === 'when') return this.decided(n);
    if (n.kind === 'call') return this.given(n);
    if (n.kind === 'step') return this.made(n);
    return n.kind === 'ret' ? this.returned(n) : n;
  }

  private decided(n: WhenNode<Frame>): OneNode {
    let { text, condition } = n;
    for (const d of this.answering(
      ({ kind, names: [word] }) =>
        ['always', 'never', 'negate'].includes(kind) && wordsIn(n.text).includes(word!),
    )) {
      this.met.add(d);
      const before = condition;
      if (d.kind === 'negate') condition = (f) => !before(f);
      else condition = d.kind === 'always' ? () => true : () => false;
      text = d.kind === 'negate' ? `!(${text})` : `${d.kind === 'always'} /* ${text} */`;
    }
    return { ...n, text, condition };
  }

  private given(n: CallNode<Frame>): OneNode {
    let { text, args } = n;
    for (const d of this.answering(({ kind, names: [name] }) => kind === 'arg' && does(n, name!))) {
      const [, name = '', change = ''] = d.names;
      const [callee] = n.routine === undefined ? this.calledBy(n.text) : [n.routine];
      const field = callee?.args[name];
      const changed =
        field === undefined ? undefined : changeOf(this.code, field as Field<unknown>, change);
      if (changed === undefined) continue;
      this.met.add(d);
      const before = args;
      args = (f: Frame, k) => {
        const frame = { store: f.store, at: f.at };
        const given = before(f, k);
        return { ...given, [name]: changed(given[name], frame) };
      };
      text = `${text} /* ${name}: ${change} */`;
    }
    return { ...n, text, args };
  }

  private *calledBy(text: string) {
    for (const name of callsIn(text)) for (const { routine } of this.called(name)) yield routine;
  }

  private made(n: StepNode<Frame>): OneNode {
    let { text, run } = n;
    for (const d of this.values((name) => setsIn(n.text).includes(name))) {
      const [name = '', change = ''] = d.names;
      const own = this.code.frame.slots.find((slot) => slot.name === name);
      if (own !== undefined) {
        const through = new RegExp(`\\*${name}\\b`).test(n.text) && own.field.kind === 'ref';
        const target = through ? structNamed(own.field.of!).slots[0]! : own;
        const changed = changeOf(this.code, target.field, change);
        if (changed === undefined) continue;
        const before = run;
        run = (f: Frame, k) => {
          const frame = { store: f.store, at: f.at };
          before(f, k);
          const cell = frame.at + own.offset;
          const at = through ? k.store.read(cell) + target.offset : cell;
          target.field.set(k.store, at, changed(target.field.get(k.store, at), frame));
        };
      } else {
        if (!isField(name) || changeOf(this.code, anyNumber, change) === undefined) continue;
        run = this.inObjects(run, name, change);
      }
      this.met.add(d);
      text = `${text} /* ${name}: ${change} */`;
    }
    return { ...n, text, run };
  }

  /** Behind a step what it has written into fields called `name` is changed. */
  private inObjects(run: StepNode<Frame>['run'], name: string, change: string) {
    return (f: Frame, k: Engine): void => {
      const frame = { store: f.store, at: f.at };
      const { store } = k;
      const { observer } = store;
      const written = new Map<number, Field<unknown>>();
      const listener: AccessObserver = {
        read: (at) => observer?.read(at),
        write: (at) => {
          observer?.write(at);
          const place = k.objects.describe(at);
          if (place === undefined || place.slot.name.split('.').at(-1) !== name) return;
          written.set(place.object + place.slot.offset, place.slot.field);
        },
      };
      store.observer = listener;
      try {
        run(f, k);
      } finally {
        store.observer = observer;
      }
      for (const [at, field] of written) {
        const changed = changeOf(this.code, field, change);
        if (changed !== undefined) field.set(store, at, changed(field.get(store, at), frame));
      }
    };
  }

  /** Where a call, a wait, a try or a choice puts what it gives. */
  into(slot: Slot): Slot {
    if (this.here.length === 0) return slot;
    let { field } = slot;
    for (const d of this.values((name) => slot.name === name)) {
      const changed = changeOf(this.code, field, d.names[1]!);
      if (changed === undefined) continue;
      this.met.add(d);
      const before = field;
      field = {
        ...before,
        set: (store, at, value) =>
          before.set(store, at, changed(value, { store, at: at - slot.offset })),
      };
    }
    return { ...slot, field };
  }

  private returned(n: RetNode<Frame>): OneNode {
    const { value } = n;
    const { returns } = this.code.routine;
    if (value === undefined || returns === undefined) return n;
    let made = value;
    let { text } = n;
    for (const d of this.values((name) => name === RETURN)) {
      const changed = changeOf(this.code, returns, d.names[1]!);
      if (changed === undefined) continue;
      this.met.add(d);
      const before = made;
      made = (f: Frame) => changed(before(f), { store: f.store, at: f.at });
      text = `${text} /* ${d.names[1]} */`;
    }
    return { ...n, text, value: made };
  }

  private values(sets: (name: string) => boolean): Deviation[] {
    return this.answering((d) => d.kind === 'value' && sets(d.names[0]!));
  }
}

const anyNumber = { kind: 'int' } as Field<unknown>;

/** What can be changed of a routine, as the kinds of deviations call it. */
export interface Points {
  /** What it calls or sets. */
  readonly deeds: readonly string[];
  /** What it decides on. */
  readonly conditions: readonly string[];
  /** What it sets, `return` among it when it gives something back. */
  readonly values: readonly string[];
  /** The arguments of what it calls. */
  readonly args: ReadonlyMap<string, readonly string[]>;
}

/** What can be changed of a routine that is built; `called` are routines by the name of a pointer. */
export function pointsOf(
  code: RoutineCode,
  called: (name: string) => readonly RoutineCode[],
): Points {
  const unique = (list: readonly string[]): string[] => [...new Set(list)];
  const args = new Map<string, readonly string[]>();
  for (const { args: given, text, callee } of code.ops) {
    if (given === undefined) continue;
    for (const name of callee === undefined ? callsIn(text) : [callee.routine.name]) {
      const known = callee ?? called(name)[0];
      if (known !== undefined && known.args.length > 0) args.set(name, known.args);
    }
  }
  const steps = code.ops.filter(({ run }) => run !== undefined);
  return {
    deeds: unique(code.ops.flatMap(({ text }) => deedsIn(text))),
    conditions: unique(
      code.ops.filter(({ condition }) => condition !== undefined).map(({ text }) => text),
    ),
    values: unique([
      ...steps.flatMap(({ text }) => setsIn(text)),
      ...code.ops.flatMap(({ into }) => (into === undefined ? [] : [into.name])),
      ...(code.routine.returns === undefined ? [] : [RETURN]),
    ]),
    args,
  };
}
