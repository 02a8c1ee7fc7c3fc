// The debug adapter: DAP requests in, session calls out, one table of what is answered. Transport-free: the same class
// runs inline in VS Code, in a browser worker, and over stdio or TCP. The one impure file here: it yields by timer.
import { DebugSession, Event, Response } from '@vscode/debugadapter';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { type Moved, movedEvent, snapshotRequest } from '../protocol/messages';
import type { Debuggee, Load, LoadProblem } from './debuggee';
import * as errors from './errors';
import { type Launch, parseLaunch } from './launch';
import { isScenario } from './listings';
import {
  type Answer,
  breakableLines,
  place,
  type SourceKey,
  spanRange,
  type Wanted,
} from './placing';
import { References } from './references';
import { Session, type Stop } from './session';
import { takeSnapshot } from './snapshot';
import type { Granularity } from './stepping';
import { filters } from './stops';
import { placeOf, spotAt } from './values';
import type { Children, Shown } from './variables';

/** What the adapter needs of where it runs. */
export interface Host {
  /** The text of a scenario; rejects with one clear sentence. */
  readonly read: (path: string) => Promise<string>;
  readonly load: Load;
  /** The URI under which the client opens a kernel listing; without it listings go by source reference. */
  readonly listingUri?: (file: string) => string;
}

type When = 'always' | 'launched' | 'stopped';

interface Handler {
  readonly when: When;
  readonly capabilities: readonly (keyof P.Capabilities)[];
  readonly answer: (args: never) => unknown;
}

/** Breakpoints that the client sets together. */
interface WantedSet {
  readonly source?: P.Source;
  readonly wanted: readonly Wanted[];
}

const chunkSteps = 400;
const sliceMs = 8; // how long a run keeps the thread before a pause can be heard

export class CoherenceAdapter extends DebugSession {
  private session: Session | undefined;
  private launch: Launch | undefined;
  private readonly references = new References();
  private readonly handlers: Readonly<Record<string, Handler>>;
  /** Breakpoints as the client set them, by source, and what it was told of each. */
  private readonly wanted = new Map<string, WantedSet>();
  private readonly told = new Map<number, string>();
  private lastBreakpoint = 0;
  private lineBase = 1;
  private columnBase = 1;
  /** Requests that came while a scenario was being read. */
  private queue: P.Request[] | undefined;
  private configured = false;
  private onConfigured: (() => void) | undefined;
  private afterwards: (() => void)[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the run ends the session when it comes to its end: after a continue, or when it stood there before. */
  private untilEnd = false;
  private stoodAtEnd = false;
  private closed = false;

  constructor(private readonly host: Host) {
    super();
    this.handlers = this.table();
    // The base class ends the process at a message that is no JSON; say so and go on.
    this.removeAllListeners('error');
    this.on('error', (e: { body?: unknown }) =>
      this.print('stderr', `${e.body ?? 'a message could not be read'}\n`),
    );
  }

  /** Everything that is answered. What the client is told that we can do is read off this table. */
  private table(): Record<string, Handler> {
    const on =
      (when: When) =>
      <A>(answer: (args: A) => unknown, ...capabilities: (keyof P.Capabilities)[]): Handler => ({
        when,
        capabilities,
        answer: answer as Handler['answer'],
      });
    const always = on('always');
    const launched = on('launched');
    const stopped = on('stopped');
    const S = 'supports' as const;
    return {
      initialize: always((a: P.InitializeRequestArguments) => this.initialize(a)),
      launch: always((a: unknown) => this.launchScenario(a)),
      configurationDone: always(() => this.configurationDone(), `${S}ConfigurationDoneRequest`),
      restart: launched((a: P.RestartArguments) => this.restart(a), `${S}RestartRequest`),
      terminate: always(() => this.terminate(), `${S}TerminateRequest`),
      disconnect: always(() => this.disconnect()),
      cancel: always((a: P.CancelArguments) => this.cancel(a), `${S}CancelRequest`),
      setBreakpoints: always(
        (a: P.SetBreakpointsArguments) => this.setBreakpoints(a),
        `${S}ConditionalBreakpoints`,
        `${S}HitConditionalBreakpoints`,
        `${S}LogPoints`,
      ),
      setFunctionBreakpoints: always(
        (a: P.SetFunctionBreakpointsArguments) => this.setFunctionBreakpoints(a),
        `${S}FunctionBreakpoints`,
      ),
      setExceptionBreakpoints: always(
        (a: P.SetExceptionBreakpointsArguments) => this.setExceptionBreakpoints(a),
        `${S}ExceptionFilterOptions`,
      ),
      breakpointLocations: launched(
        (a: P.BreakpointLocationsArguments) => this.breakpointLocations(a),
        `${S}BreakpointLocationsRequest`,
      ),
      exceptionInfo: stopped(() => this.exceptionInfo(), `${S}ExceptionInfoRequest`),
      threads: always(() => ({ threads: this.threads() })),
      stackTrace: stopped(
        (a: P.StackTraceArguments) => this.stackTrace(a),
        `${S}DelayedStackTraceLoading`,
      ),
      scopes: stopped((a: P.ScopesArguments) => this.scopes(a)),
      variables: stopped((a: P.VariablesArguments) => this.listVariables(a)),
      evaluate: stopped(
        (a: P.EvaluateArguments) => this.evaluate(a),
        `${S}EvaluateForHovers`,
        `${S}ClipboardContext`,
      ),
      completions: stopped(
        (a: P.CompletionsArguments) => this.completions(a),
        `${S}CompletionsRequest`,
      ),
      source: launched((a: P.SourceArguments) => this.source(a)),
      loadedSources: launched(() => this.loadedSources(), `${S}LoadedSourcesRequest`),
      continue: stopped((a: P.ContinueArguments) =>
        this.go(a, (s, task) => s.continue(task), true),
      ),
      reverseContinue: stopped(
        (a: P.ReverseContinueArguments) => this.go(a, (s, task) => s.reverseContinue(task)),
        `${S}StepBack`,
      ),
      next: stopped((a: P.NextArguments) => this.step(a, 'over'), `${S}SteppingGranularity`),
      stepIn: stopped((a: P.StepInArguments) => this.step(a, 'into')),
      stepOut: stopped((a: P.StepOutArguments) => this.step(a, 'out')),
      stepBack: stopped((a: P.StepBackArguments) => this.stepBack(a, 'over')),
      pause: launched((a: P.PauseArguments) => this.pause(a)),
      // Of our own: what the protocol has no word for. Every client may send them.
      'coherence/stepBackInto': stopped((a: P.StepBackArguments) => this.stepBack(a, 'into')),
      'coherence/stepBackOut': stopped((a: P.StepBackArguments) => this.stepBack(a, 'out')),
      'coherence/goto': stopped((a: { position?: unknown }) => this.travel(a)),
      'coherence/time': launched(() => this.time()),
      [snapshotRequest]: stopped(() => this.snapshot()),
    };
  }

  // The request loop.

  protected override dispatchRequest(request: P.Request): void {
    const urgent = ['disconnect', 'terminate', 'cancel'].includes(request.command);
    if (this.queue !== undefined && !urgent) this.queue.push(request);
    else this.serve(request);
  }

  private serve(request: P.Request): void {
    const response = new Response(request);
    try {
      const handler = Object.hasOwn(this.handlers, request.command)
        ? this.handlers[request.command]
        : undefined;
      if (handler === undefined) throw errors.unsupported(request.command);
      if (handler.when !== 'always' && this.session === undefined)
        throw errors.notLaunched(request.command);
      if (handler.when === 'stopped' && this.session?.stopped === undefined)
        throw errors.notStopped();
      const body = handler.answer((request.arguments ?? {}) as never);
      if (body instanceof Promise) {
        body.then(
          (late) => this.reply(response, late),
          (error) => this.refuse(response, error),
        );
      } else this.reply(response, body);
    } catch (error) {
      this.refuse(response, error);
    }
  }

  /** Answers, and only then does what the answer announced. */
  private reply(response: P.Response, body: unknown): void {
    if (body !== undefined) response.body = body;
    this.sendResponse(response);
    const todo = this.afterwards;
    this.afterwards = [];
    for (const act of todo) {
      try {
        act();
      } catch (error) {
        this.print('stderr', `${errors.internal(error).message}\n`);
      }
    }
  }

  private refuse(response: P.Response, error: unknown): void {
    this.afterwards = [];
    const known = error instanceof errors.RequestError ? error : errors.internal(error);
    const text = known.message;
    response.success = false;
    response.message = text;
    response.body = {
      error: { id: known.code, format: '{text}', variables: { text }, showUser: known.showUser },
    };
    this.sendResponse(response);
  }

  private afterReply(act: () => void): void {
    this.afterwards.push(act);
  }

  private get s(): Session {
    if (this.session === undefined) throw errors.notLaunched('this request');
    return this.session;
  }

  // Life of a session.

  private initialize(args: P.InitializeRequestArguments): P.Capabilities {
    this.lineBase = args.linesStartAt1 === false ? 0 : 1;
    this.columnBase = args.columnsStartAt1 === false ? 0 : 1;
    this.afterReply(() => this.sendEvent(new Event('initialized')));
    const capabilities = Object.values(this.handlers).flatMap((h) => h.capabilities);
    return {
      ...Object.fromEntries(capabilities.map((name) => [name, true])),
      completionTriggerCharacters: ['.', '>'],
      exceptionBreakpointFilters: filters.map(({ id, label, description, byDefault }) => ({
        filter: id,
        label,
        description,
        default: byDefault,
        supportsCondition: true,
        conditionDescription:
          'an expression over the arguments of the event and the scenario: address, write, …',
      })),
    };
  }

  private async launchScenario(args: unknown): Promise<void> {
    if (this.session !== undefined) throw errors.alreadyLaunched();
    const launch = parseLaunch(args);
    if (typeof launch === 'string') throw errors.badLaunch(launch);
    await this.open(launch);
    if (!this.configured) {
      await new Promise<void>((resolve) => {
        this.onConfigured = resolve;
      });
    }
    if (this.closed) throw errors.cancelled();
    this.afterReply(() => this.begin());
  }

  private configurationDone(): void {
    this.configured = true;
    this.afterReply(() => this.onConfigured?.());
  }

  /** Reads and loads the scenario; what comes meanwhile waits. */
  private async open(launch: Launch): Promise<void> {
    this.queue = [];
    try {
      const session = new Session(await this.load(launch));
      if (this.closed) throw errors.cancelled();
      session.output = (text) => this.print('console', `${text}\n`);
      this.launch = launch;
      this.session = session;
      this.placeAgain();
    } finally {
      const waiting = this.queue;
      this.queue = undefined;
      for (const request of waiting) this.dispatchRequest(request);
    }
  }

  private async load({ program, options }: Launch): Promise<Debuggee> {
    let text: string;
    try {
      text = await this.host.read(program);
    } catch (error) {
      throw errors.badLaunch(error instanceof Error ? error.message : `${program} cannot be read`);
    }
    const loaded = this.host.load(program, text, options);
    if (!isProblems(loaded)) return loaded;
    const lines = loaded.map((p) => problemText(program, p));
    if (lines.length > 1) this.print('stderr', `${lines.join('\n')}\n`);
    const more = lines.length > 1 ? ` (and ${lines.length - 1} more, see the debug console)` : '';
    throw errors.badLaunch(`${lines[0] ?? `${program}: nothing to run`}${more}`);
  }

  private begin(): void {
    const launch = this.launch!;
    this.references.clear();
    const stop = this.s.start(launch.stopOnEntry && !launch.noDebug);
    if (stop !== undefined) return this.report(stop);
    this.s.continue(this.s.next());
    this.untilEnd = true;
    this.stoodAtEnd = false;
    this.tick();
  }

  private async restart({ arguments: given }: P.RestartArguments): Promise<void> {
    this.halt();
    const launch = given === undefined ? this.launch! : parseLaunch(given);
    if (typeof launch === 'string') throw errors.badLaunch(launch);
    await this.open(launch);
    this.afterReply(() => this.begin());
  }

  private terminate(): void {
    this.halt();
    this.afterReply(() => this.sendEvent(new Event('terminated')));
  }

  private disconnect(): void {
    this.halt();
    this.closed = true;
    this.afterReply(() => {
      this.onConfigured?.();
      this.shutdown();
    });
  }

  /** Ends a session whose client is gone. */
  override dispose(): void {
    this.halt();
    this.closed = true;
  }

  private cancel({ requestId }: P.CancelArguments): void {
    const waiting = this.queue?.find((r) => r.seq === requestId);
    if (waiting === undefined) return;
    this.queue = this.queue!.filter((r) => r !== waiting);
    this.afterReply(() => this.refuse(new Response(waiting), errors.cancelled()));
  }

  // Running.

  private go(
    args: { threadId?: number },
    begin: (s: Session, task: number) => void,
    untilEnd = false,
  ): unknown {
    const task = this.taskOf(args.threadId);
    this.afterReply(() => {
      this.references.clear();
      begin(this.s, task);
      this.untilEnd = untilEnd;
      this.stoodAtEnd = this.s.atEnd;
      this.tick();
    });
    return untilEnd ? { allThreadsContinued: true } : undefined;
  }

  private step(args: P.NextArguments, how: 'over' | 'into' | 'out'): unknown {
    return this.go(args, (s, task) => s.step(task, how, granularity(args)));
  }

  private stepBack(args: P.StepBackArguments, how: 'over' | 'into' | 'out'): unknown {
    return this.go(args, (s, task) => s.stepBack(task, how, granularity(args)));
  }

  private travel({ position }: { position?: unknown }): void {
    if (typeof position !== 'number')
      throw errors.badArguments('coherence/goto', 'position is a number of steps');
    this.afterReply(() => {
      this.references.clear();
      this.report(this.s.goto(position));
    });
  }

  private pause({ threadId }: P.PauseArguments): void {
    const { s } = this;
    if (!s.running) return;
    this.afterReply(() => {
      this.halt();
      this.report(s.pause(s.threads.find((t) => t.task === threadId - 1)?.task));
    });
  }

  private halt(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private readonly tick = (): void => {
    const until = performance.now() + sliceMs;
    let stop: Stop | undefined;
    do stop = this.s.advance(chunkSteps);
    while (stop === undefined && performance.now() < until);
    if (stop === undefined) this.timer = setTimeout(this.tick, 0);
    else this.report(stop);
  };

  /** Tells the client where and why the run stands. */
  private report(stop: Stop): void {
    if (stop.final && (this.stoodAtEnd || (this.untilEnd && stop.reason === 'end')))
      return this.finish();
    const { reason, title, text, hits } = stop;
    const body: P.StoppedEvent['body'] = {
      reason: reason === 'end' ? 'step' : reason,
      description: title,
      threadId: stop.task + 1,
      allThreadsStopped: true,
      ...(text !== '' && text !== title && { text }),
      ...(hits.length > 0 && { hitBreakpointIds: [...hits] }),
    };
    this.sendEvent(new Event('stopped', body));
    const moved: Moved = { time: this.s.engine.steps, text: title };
    this.sendEvent(new Event(movedEvent, moved));
  }

  private finish(): void {
    const { lines, exitCode } = this.s.debuggee.verdict();
    this.print('console', `${lines.join('\n')}\n`);
    this.sendEvent(new Event('exited', { exitCode }));
    this.sendEvent(new Event('terminated'));
  }

  private time() {
    const { timeline, engine } = this.s;
    return {
      position: timeline.position,
      end: timeline.end,
      hash: engine.store.hash(),
      schedule: timeline.schedule(),
      historyBytes: timeline.bytes,
    };
  }

  private snapshot() {
    const { debuggee, engine } = this.s;
    return takeSnapshot(engine, (struct, at) => debuggee.nameOf(struct, at));
  }

  // Breakpoints.

  private setBreakpoints({ source, breakpoints, lines }: P.SetBreakpointsArguments): unknown {
    const asked: P.SourceBreakpoint[] = breakpoints ?? (lines ?? []).map((line) => ({ line }));
    const wanted = asked.map((b) => ({
      ...this.want(b),
      at: { kind: 'line', line: b.line - this.lineBase } as const,
    }));
    return this.replace(`source ${this.sourceId(source)}`, { source, wanted });
  }

  private setFunctionBreakpoints({ breakpoints }: P.SetFunctionBreakpointsArguments): unknown {
    const wanted = breakpoints.map((b) => ({
      ...this.want(b),
      at: { kind: 'function', name: b.name } as const,
    }));
    return this.replace('functions', { wanted });
  }

  private setExceptionBreakpoints(args: P.SetExceptionBreakpointsArguments): unknown {
    const plain: P.ExceptionFilterOptions[] = (args.filters ?? []).map((filterId) => ({
      filterId,
    }));
    const wanted = [...plain, ...(args.filterOptions ?? [])].map((option) => ({
      ...this.want(option),
      at: { kind: 'filter', filter: option.filterId } as const,
    }));
    return this.replace('filters', { wanted });
  }

  private want(b: { condition?: string; hitCondition?: string; logMessage?: string }) {
    return {
      id: ++this.lastBreakpoint,
      condition: b.condition?.trim() || undefined,
      hitCondition: b.hitCondition?.trim() || undefined,
      log: b.logMessage,
    };
  }

  /** Replaces a set, and says what became of each. Before a launch nothing can be placed: they are pending. */
  private replace(key: string, set: WantedSet): unknown {
    for (const { id } of this.wanted.get(key)?.wanted ?? []) this.told.delete(id);
    this.wanted.set(key, set);
    const message = 'placed when the scenario is loaded';
    const breakpoints =
      this.session === undefined
        ? set.wanted.map(
            ({ id }): P.Breakpoint => ({ id, verified: false, message, reason: 'pending' }),
          )
        : this.placeSet(key, set);
    return { breakpoints: breakpoints.map((b) => this.remember(b)) };
  }

  private placeSet(key: string, { source, wanted }: WantedSet): P.Breakpoint[] {
    const at = source && this.sourceKey(source);
    const answers = wanted.map((w) => place(this.s, w, at));
    const placed = this.launch?.noDebug ? [] : answers.flatMap((a) => a.placed ?? []);
    this.s.breakpoints.replace(key, placed);
    return answers.map((answer, i) => this.breakpoint(wanted[i]!.id, answer, at));
  }

  /** Places every breakpoint in a new program, and tells the client of those that changed. */
  private placeAgain(): void {
    for (const [key, set] of this.wanted) {
      for (const breakpoint of this.placeSet(key, set)) {
        if (this.told.get(breakpoint.id!) === JSON.stringify(breakpoint)) continue;
        this.sendEvent(
          new Event('breakpoint', { reason: 'changed', breakpoint: this.remember(breakpoint) }),
        );
      }
    }
  }

  private remember(breakpoint: P.Breakpoint): P.Breakpoint {
    this.told.set(breakpoint.id!, JSON.stringify(breakpoint));
    return breakpoint;
  }

  private breakpoint(
    id: number,
    { problem, range }: Answer,
    at: SourceKey | undefined,
  ): P.Breakpoint {
    if (problem !== undefined) return { id, verified: false, message: problem, reason: 'failed' };
    if (range === undefined || at === undefined) return { id, verified: true };
    return {
      id,
      verified: true,
      source: this.sourceOf(at),
      line: range.start.line + this.lineBase,
    };
  }

  private breakpointLocations({ source, line, endLine }: P.BreakpointLocationsArguments): unknown {
    const at = this.sourceKey(source);
    const from = line - this.lineBase;
    const lines =
      at === undefined ? [] : breakableLines(this.s, at, from, (endLine ?? line) - this.lineBase);
    return { breakpoints: lines.map((l) => ({ line: l + this.lineBase })) };
  }

  private exceptionInfo(): unknown {
    const stop = this.s.stopped;
    if (stop?.filter === undefined) throw errors.noException();
    const label = filters.find((f) => f.id === stop.filter)?.label ?? stop.filter;
    const chain =
      stop.causes.length === 0
        ? ''
        : `\n\nHow it came to this:\n${stop.causes.map((c) => `  ${c}`).join('\n')}`;
    return {
      exceptionId: stop.filter,
      description: `${stop.text || stop.title}${chain}`,
      breakMode: 'always',
      details: { message: stop.title, typeName: label },
    };
  }

  // Looking.

  private threads(): P.Thread[] {
    const { session } = this;
    if (session === undefined) return [];
    return session.threads.map(({ task, name }) => ({ id: task + 1, name }));
  }

  private stackTrace({ threadId, startFrame = 0, levels }: P.StackTraceArguments): unknown {
    const { s } = this;
    const task = this.taskOf(threadId);
    const stack = s.engine.stack(task);
    const from = Math.max(0, startFrame);
    const wanted = stack.slice(from, levels ? from + levels : undefined);
    const stackFrames = wanted.map(({ at, code, pc }, i): P.StackFrame => {
      const op = code.ops[pc]!;
      const id = this.references.frame({ task, at });
      const { name } = code.routine;
      if (isScenario(code)) {
        const span = op.span ?? code.ops.slice(0, pc).findLast((o) => o.span !== undefined)?.span;
        const { start, end } = spanRange(s, span ?? { from: 0, to: 0 });
        return {
          id,
          name: stack.length === 1 || at === stack.at(-1)!.at ? s.threadName(task) : name,
          source: this.sourceOf({ kind: 'scenario' }),
          line: start.line + this.lineBase,
          column: start.column + this.columnBase,
          endLine: end.line + this.lineBase,
          endColumn: end.column + this.columnBase,
        };
      }
      const where = s.listings.lineOf(code, pc);
      const innermost = from + i === 0;
      return {
        id,
        name: innermost ? `${name}: ${op.text}` : name,
        ...(where && { source: this.sourceOf({ kind: 'listing', file: where.listing.file }) }),
        line: (where?.line ?? 0) + this.lineBase,
        column: this.columnBase,
      };
    });
    return { stackFrames, totalFrames: stack.length };
  }

  private scopes({ frameId }: P.ScopesArguments): unknown {
    const { s } = this;
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
    const held = s.engine.held(key.task);
    return {
      scopes: [
        scope('Locals', s.variables.frame(frame), false, 'locals'),
        ...events.map((e) => scope(`Event ${e.name}`, s.variables.event(e), false)),
        ...(held.length > 0 ? [scope('Locks held', s.variables.locks(key.task), false)] : []),
        scope('Objects', s.variables.objects(), true, 'globals'),
      ],
    };
  }

  private listVariables(args: P.VariablesArguments): unknown {
    const children = this.references.childrenOf(args.variablesReference);
    if (children === undefined) throw errors.noSuchVariables(args.variablesReference);
    if (
      args.filter === 'named'
        ? children.indexed > 0
        : args.filter === 'indexed' && children.indexed === 0
    ) {
      return { variables: [] };
    }
    const all = args.count === undefined || args.count === 0;
    const count = all ? children.indexed || Number.MAX_SAFE_INTEGER : args.count!;
    const shown = children.list(Math.max(0, args.start ?? 0), count);
    return { variables: shown.map((v) => ({ name: v.name, ...this.value(v), value: v.value })) };
  }

  private value({ type, children }: Shown) {
    return {
      ...(type !== undefined && { type }),
      variablesReference: children === undefined ? 0 : this.references.variable(children),
      ...(children !== undefined && children.indexed > 0 && { indexedVariables: children.indexed }),
    };
  }

  private evaluate({ expression, frameId }: P.EvaluateArguments): P.EvaluateResponse['body'] {
    const { s } = this;
    const key = frameId === undefined ? undefined : this.references.frameOf(frameId);
    if (frameId !== undefined && key === undefined) throw errors.noSuchFrame(frameId);
    const result = s.evaluate(expression, key?.task ?? s.stopped!.task, key?.at);
    if ('error' in result) throw errors.cannotEvaluate(result.error);
    const shown = s.variables.shown(expression, result.value);
    return { ...this.value(shown), result: shown.value };
  }

  /** The fields that a path in a kernel frame can go on with. */
  private completions({ frameId, text, column }: P.CompletionsArguments): unknown {
    const { s } = this;
    const key = frameId === undefined ? undefined : this.references.frameOf(frameId);
    const frame = key && s.engine.stack(key.task).find((f) => f.at === key.at);
    if (frame === undefined || isScenario(frame.code)) return { targets: [] };
    const typed = /((?:\w+(?:\[\d+\])?(?:\.|->))*)\w*$/.exec(
      text.slice(0, column - this.columnBase),
    );
    const path = (typed?.[1] ?? '').replace(/(\.|->)$/, '');
    const root = { struct: frame.code.frame, at: frame.at };
    const spot = path === '' ? undefined : spotAt(s.engine, root, path);
    const owner = path === '' ? root : spot && placeOf(s.engine, spot);
    return {
      targets: (owner?.struct.slots ?? []).map(({ name }) => ({ label: name, type: 'field' })),
    };
  }

  // Sources.

  private source({ source, sourceReference }: P.SourceArguments): unknown {
    const at = this.sourceKey({ sourceReference, ...source });
    if (at?.kind === 'scenario') return { content: this.s.debuggee.text };
    const listing = at && this.s.listings.byFile(at.file);
    if (listing === undefined) throw errors.noSuchSource(source?.path ?? `${sourceReference}`);
    return { content: listing.text, mimeType: 'text/x-c' };
  }

  private loadedSources(): unknown {
    const listings = this.s.listings.all.map(({ file }) =>
      this.sourceOf({ kind: 'listing', file }),
    );
    return { sources: [this.sourceOf({ kind: 'scenario' }), ...listings] };
  }

  private sourceOf(key: SourceKey): P.Source {
    if (key.kind === 'scenario') {
      const { path } = this.s.debuggee;
      return { name: path.split(/[\\/]/).at(-1)!, path };
    }
    const { file } = key;
    const uri = this.host.listingUri?.(file);
    const origin = 'listing of the emulated kernel';
    if (uri !== undefined) return { name: file, path: uri, origin };
    return { name: file, sourceReference: this.s.listings.byFile(file)!.reference, origin };
  }

  /** Which source the client means; undefined when it is none of this run, or nothing is loaded yet. */
  private sourceKey(source: P.Source): SourceKey | undefined {
    const { session } = this;
    if (session === undefined) return undefined;
    const byReference = source.sourceReference
      ? session.listings.byReference(source.sourceReference)
      : undefined;
    if (byReference !== undefined) return { kind: 'listing', file: byReference.file };
    const { path } = source;
    if (path === undefined) return undefined;
    if (samePath(path, session.debuggee.path)) return { kind: 'scenario' };
    const listing = session.listings.all.find(({ file }) => this.host.listingUri?.(file) === path);
    return listing && { kind: 'listing', file: listing.file };
  }

  /** One spelling of a source, loaded or not. */
  private sourceId({ path, name, sourceReference }: P.Source): string {
    return path === undefined ? `${name} ${sourceReference}` : plainPath(path);
  }

  private taskOf(threadId: unknown): number {
    const task = Number(threadId) - 1;
    if (!this.s.threads.some((t) => t.task === task)) throw errors.noSuchThread(threadId);
    return task;
  }

  private print(category: 'console' | 'stderr', output: string): void {
    this.sendEvent(new Event('output', { category, output }));
  }
}

const granularity = ({
  granularity: wanted,
}: {
  granularity?: P.SteppingGranularity;
}): Granularity => (wanted === 'instruction' ? 'instruction' : 'statement');

const isProblems = (loaded: Debuggee | readonly LoadProblem[]): loaded is readonly LoadProblem[] =>
  Array.isArray(loaded);

function problemText(program: string, { message, line, column }: LoadProblem): string {
  const at =
    line === undefined ? '' : `:${line + 1}${column === undefined ? '' : `:${column + 1}`}`;
  return `${program}${at}: ${message}`;
}

/** Clients spell a path in more than one way: as a URI, with a drive letter in either case, with backslashes. */
function samePath(a: string, b: string): boolean {
  return plainPath(a) === plainPath(b);
}

function plainPath(path: string): string {
  const decoded = path.startsWith('file://')
    ? decodeURIComponent(path.replace(/^file:\/\/(\/(?=[A-Za-z]:))?/, ''))
    : path;
  return decoded.replace(/\\/g, '/').replace(/^[A-Za-z]:/, (drive) => drive.toLowerCase());
}
