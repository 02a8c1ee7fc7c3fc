// What a client looks at while a run stands: stacks, scopes, variables, expressions. Translates to the protocol;
// the numbers it gives out for frames and variables are void as soon as the run goes on.

import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { placeOf, spotAt } from '../machine/spots';
import { type Fault, type FaultPart, faultParts, faultText, faultTitle } from '../protocol/fault';
import { commandsFor } from './console';
import * as errors from './errors';
import { exception } from './faultBranch';
import { spaceOfTask } from './faults';
import { isScenario } from './listings';
import { spanRange } from './placing';
import { References } from './references';
import type { Session } from './session';
import type { Sources } from './sources';
import { type Children, members, type Shown } from './variables';

/** So many children are given at a time to a client that does not ask for pages of them. */
const childrenMax = 10_000;
/** So many characters of a value are shown. */
const valueMax = 16_384;

/** What the latest page fault of a thread goes by in expressions. */
const faultName = '$fault';

const faultShown = (fault: Fault | undefined): Shown[] =>
  fault === undefined ? [] : faultParts(fault).map(partShown);

const cut = (value: string): string =>
  value.length <= valueMax ? value : `${value.slice(0, valueMax)}… (${value.length} characters)`;

const partShown = ({ label, value, children }: FaultPart): Shown => ({
  name: label,
  value,
  ...(children.length > 0 && { children: members(() => children.map(partShown)) }),
});

export class Looking {
  private readonly references = new References();

  constructor(private readonly sources: Sources) {}

  /** The run goes on. */
  forget(): void {
    this.references.clear();
  }

  /** The frames of a task from the micro-step down to the scenario's statement. */
  stackTrace(s: Session, task: number, args: P.StackTraceArguments): P.StackTraceResponse['body'] {
    const { startFrame = 0, levels } = args;
    const { lineBase, columnBase } = this.sources;
    const stack = s.engine.stack(task);
    const from = Math.max(0, startFrame);
    const wanted = stack.slice(from, levels ? from + levels : undefined);
    const stackFrames = wanted.map(({ at, code, pc }, i): P.StackFrame => {
      const op = code.ops[pc]!;
      const id = this.references.frame({ task, at });
      const { name } = code.routine;
      const instructionPointerReference = s.instructions.addressOf(op);
      if (isScenario(code)) {
        const span = op.span ?? code.ops.slice(0, pc).findLast((o) => o.span !== undefined)?.span;
        const { path, start, end } = spanRange(s, span ?? { from: 0, to: 0 });
        return {
          id,
          name: stack.length === 1 || at === stack.at(-1)!.at ? s.threadName(task) : name,
          source: this.sources.of(s, { kind: 'scenario', path }),
          line: start.line + lineBase,
          column: start.column + columnBase,
          endLine: end.line + lineBase,
          endColumn: end.column + columnBase,
          instructionPointerReference,
        };
      }
      const where = s.listings.lineOf(code, pc);
      const innermost = from + i === 0;
      return {
        id,
        name: innermost ? `${name}: ${op.text}` : name,
        ...(where && { source: this.sources.of(s, { kind: 'listing', file: where.listing.file }) }),
        line: (where?.line ?? 0) + lineBase,
        column: columnBase,
        instructionPointerReference,
      };
    });
    return { stackFrames, totalFrames: stack.length };
  }

  scopes(s: Session, { frameId }: P.ScopesArguments): P.ScopesResponse['body'] {
    const key = this.references.frameOf(frameId);
    const frame = key && s.engine.stack(key.task).find((f) => f.at === key.at);
    if (key === undefined || frame === undefined) throw errors.noSuchFrame(frameId);
    const scope = (
      name: string,
      children: Children,
      expensive: boolean,
      hint?: string,
    ): P.Scope => ({
      name,
      variablesReference: this.references.variable(children),
      expensive,
      ...(hint !== undefined && { presentationHint: hint }),
    });
    const events = s.lastEvents();
    const faulting = s.engine.stack(key.task).some(({ code }) => code.routine.name === exception);
    const held = s.engine.held(key.task);
    return {
      scopes: [
        scope('Locals', s.variables.frame(frame), false, 'locals'),
        ...(faulting
          ? [
              scope(
                'Fault',
                members(() => faultShown(s.faults.latestOf(key.task))),
                false,
              ),
            ]
          : []),
        ...events.map((e) => scope(`Event ${e.name}`, s.variables.event(e), false)),
        ...(held.length > 0 ? [scope('Locks held', s.variables.locks(key.task), false)] : []),
        ...this.machineScopes(s, key.task).map(([name, children]) => scope(name, children, true)),
        scope('Objects', s.variables.objects(), true, 'globals'),
      ],
    };
  }

  /** What there is of the machine beside its structs: tables, caches, the device, fences, counters. */
  private machineScopes(s: Session, task: number): [string, Children][] {
    const { engine, variables } = s;
    const { locations } = s.debuggee;
    const mm = spaceOfTask(engine, task);
    const cpu = engine.cpuOf(task);
    const named = (kind: 'counter' | 'fence' | 'surface', id: (name: string) => string) =>
      variables.located(locations.known(kind), id);
    const some = (kind: 'counter' | 'fence' | 'surface') => locations.known(kind).length > 0;
    const found: [string, Children][] = [];
    if (mm !== 0) found.push(['Address space', variables.addressSpace(mm)]);
    if (mm !== 0 && cpu >= 0) found.push([`TLB of cpu${cpu}`, variables.tlb(cpu)]);
    if (some('surface')) {
      found.push(['Trackers', named('surface', (name) => `dirty:${name}`)]);
      found.push(['GPU copies', named('surface', (name) => `gpu:${name}:0:16`)]);
    }
    if (some('fence')) found.push(['Fences', named('fence', (name) => `fence:${name}`)]);
    if (some('counter')) found.push(['Counters', named('counter', (name) => `counter:${name}`)]);
    return found;
  }

  variables(s: Session, args: P.VariablesArguments): P.VariablesResponse['body'] {
    const children = this.references.childrenOf(args.variablesReference);
    if (children === undefined) throw errors.noSuchVariables(args.variablesReference);
    if (
      args.filter === 'named'
        ? children.indexed > 0
        : args.filter === 'indexed' && children.indexed === 0
    ) {
      return { variables: [] };
    }
    const start = Math.max(0, args.start ?? 0);
    const wanted = args.count || children.indexed || Number.MAX_SAFE_INTEGER;
    const shown = children.list(start, Math.min(wanted, childrenMax));
    const variables = shown.map((v) => this.variableShown(s, v));
    const left = Math.min(wanted, children.indexed - start) - childrenMax;
    if (left > 0) {
      const value = `${left} more: asked for by start and count, ${childrenMax} at a time`;
      variables.push({ name: '…', value, variablesReference: 0 });
    }
    return { variables };
  }

  private variableShown(s: Session, shown: Shown): P.Variable {
    const id = s.variables.locationOf(shown);
    const memoryReference = shown.spot && s.frameOf(shown.spot);
    return {
      name: shown.name,
      ...this.value(shown),
      value: cut(shown.value),
      ...(id !== undefined && { evaluateName: id }),
      ...(memoryReference !== undefined && { memoryReference }),
      ...(id === undefined && { presentationHint: { attributes: ['readOnly'] } }),
    };
  }

  /** A variable that was given out: the location that it is, and how it is shown now. */
  variable(s: Session, variablesReference: number, name: string) {
    const children = this.references.childrenOf(variablesReference);
    if (children === undefined) throw errors.noSuchVariables(variablesReference);
    const index = children.indexed > 0 ? /^\[(\d+)\]$/.exec(name)?.[1] : undefined;
    const find = () => {
      const some =
        index === undefined
          ? children.list(0, Number.MAX_SAFE_INTEGER)
          : children.list(Number(index), 1);
      const found = some.find((v) => v.name === name);
      if (found === undefined) throw errors.cannotEvaluate(`there is no variable ${name} here`);
      return found;
    };
    const id = s.variables.locationOf(find());
    const location = id === undefined ? undefined : s.debuggee.locations.at(id);
    const shown = () => {
      const now = find();
      return { ...this.value(now), value: cut(now.value) };
    };
    return { location: typeof location === 'string' ? undefined : location, shown };
  }

  /** The task and frame of a frame's number; without one, the task that stopped. */
  frame(s: Session, frameId: number | undefined): { task: number; frame: number | undefined } {
    const key = frameId === undefined ? undefined : this.references.frameOf(frameId);
    if (frameId !== undefined && key === undefined) throw errors.noSuchFrame(frameId);
    return { task: key?.task ?? s.stopped!.task, frame: key?.at };
  }

  private value({ type, children }: Shown) {
    return {
      ...(type !== undefined && { type }),
      variablesReference: children === undefined ? 0 : this.references.variable(children),
      ...(children !== undefined && children.indexed > 0 && { indexedVariables: children.indexed }),
    };
  }

  evaluate(s: Session, args: P.EvaluateArguments): P.EvaluateResponse['body'] {
    const { expression, frameId } = args;
    const { task, frame } = this.frame(s, frameId);
    if (expression.trim() === faultName) return this.fault(s, task, args.context === 'repl');
    const result = s.evaluate(expression, task, frame);
    if ('error' in result) throw errors.cannotEvaluate(result.error);
    const shown = s.variables.shown(expression, result.value);
    const memoryReference = s.memoryOf(expression, result.value, task, frame);
    return {
      ...this.value(shown),
      result: args.context === 'clipboard' ? shown.value : cut(shown.value),
      ...(memoryReference !== undefined && { memoryReference }),
    };
  }

  /** `$fault`: in the debug console its whole text. */
  private fault(s: Session, task: number, whole: boolean): P.EvaluateResponse['body'] {
    const fault = s.faults.latestOf(task);
    if (fault === undefined) throw errors.cannotEvaluate('this thread had no page fault yet');
    const children = members(() => faultShown(fault));
    return {
      result: whole ? faultText(fault).join('\n') : faultTitle(fault),
      variablesReference: this.references.variable(children),
    };
  }

  /** The commands of the console, and the fields that a path in a kernel frame can go on with. */
  completions(s: Session, args: P.CompletionsArguments): P.CompletionsResponse['body'] {
    const { text, column } = args;
    const typed = text.slice(0, column - this.sources.columnBase).trimStart();
    const words = /^[a-z ]+$/.test(typed) ? commandsFor(typed) : [];
    const start = column - typed.length;
    const commands = words.map(
      (label): P.CompletionItem => ({ label, type: 'keyword', start, length: typed.length }),
    );
    return { targets: [...commands, ...this.fields(s, args)] };
  }

  private fields(s: Session, args: P.CompletionsArguments): P.CompletionItem[] {
    const { frameId, text, column } = args;
    const key = frameId === undefined ? undefined : this.references.frameOf(frameId);
    const frame = key && s.engine.stack(key.task).find((f) => f.at === key.at);
    if (frame === undefined || isScenario(frame.code)) return [];
    const typed = /((?:\w+(?:\[\d+\])?(?:\.|->))*)\w*$/.exec(
      text.slice(0, column - this.sources.columnBase),
    );
    const path = (typed?.[1] ?? '').replace(/(\.|->)$/, '');
    const root = { struct: frame.code.frame, at: frame.at };
    const spot = path === '' ? undefined : spotAt(s.engine, root, path);
    const owner = path === '' ? root : spot && placeOf(s.engine, spot);
    return (owner?.struct.slots ?? []).map(({ name }) => ({ label: name, type: 'field' }));
  }
}
