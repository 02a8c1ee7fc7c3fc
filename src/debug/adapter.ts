// The debug adapter: DAP requests in, session calls out, one table of what is answered. Transport-free: the same class
// runs inline in VS Code, in a browser worker, and over stdio or TCP. The one impure file here: it yields by timer.
import { DebugSession, Event, Response } from '@vscode/debugadapter';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { faultText } from '../protocol/fault';
import {
  type Ended,
  endedEvent,
  loadedEvent,
  type Moved,
  movedEvent,
  snapshotRequest,
} from '../protocol/messages';
import type { Choice } from '../routine/schedule';
import { BreakpointSets } from './breakpointSets';
import { Changes } from './changes';
import { command } from './console';
import type { Debuggee, Load, LoadProblem, ReadAhead } from './debuggee';
import { disassemble } from './disassembly';
import { Edited, editedText } from './edited';
import * as errors from './errors';
import { type Launch, parseLaunch, scheduleIn } from './launch';
import { Looking } from './looking';
import { Memory } from './memory';
import { modulesOf } from './modules';
import { Outbox } from './outbox';
import { Progress } from './progress';
import { reportText } from './report';
import { agentsOf } from './scheduling';
import { Session, type Stop } from './session';
import { argumentsProblem } from './shapes';
import { takeSnapshot } from './snapshot';
import { Sources } from './sources';
import type { Granularity, Motion } from './stepping';
import { filters } from './stops';
import { Targets } from './targets';
import type { Survey } from './travel';

/** What the adapter needs of where it runs. */
export interface Host {
  /** The text of a scenario or a recording, unpacked; rejects with one clear sentence. */
  readonly read: (path: string) => Promise<string>;
  readonly load: Load;
  /** Reads the other files that a text refers to, if it can. */
  readonly readAhead?: ReadAhead;
  /** The URI under which the client opens a kernel listing; without it listings go by source reference. */
  readonly listingUri?: (file: string) => string;
}

type When = 'always' | 'launched' | 'stopped';

/** The reading of a scenario; once it is called off nothing comes of it. */
interface Attempt {
  readonly isOff: boolean;
}

interface Handler {
  readonly when: When;
  readonly capabilities: readonly (keyof P.Capabilities)[];
  readonly answer: (args: never) => unknown;
}

/** Steps between two looks at the clock: few, since with conditions and data breakpoints each may take long. */
const chunkSteps = 100;
const sliceMs = 8; // how long work keeps the thread before a pause can be heard
const lookMs = 500; // between two looks at whether files were edited

export class CoherenceAdapter extends DebugSession {
  private session: Session | undefined;
  private launch: Launch | undefined;
  private readonly sources: Sources;
  private readonly sets: BreakpointSets;
  private readonly looking: Looking;
  private readonly changes: Changes;
  private readonly targets: Targets;
  private readonly memory = new Memory();
  private readonly handlers: Readonly<Record<string, Handler>>;
  /** Requests that came while a scenario was being read, or while the run was looked back over. */
  private queue: P.Request[] | undefined;
  /** The request that is being served. */
  private serving = 0;
  /** Requests that are not answered yet and can be called off, by their number. */
  private readonly underWay = new Map<number, () => void>();
  private configured = false;
  private onConfigured: (() => void) | undefined;
  private afterwards: (() => void)[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the run ends the session when it comes to its end: after a continue, or when it stood there before. */
  private untilEnd = false;
  private stoodAtEnd = false;
  /** The client was told that the session is over. */
  private ended = false;
  /** The client is VS Code, whose panels follow an event of our own; strict clients know only the protocol's. */
  private hasPanels = false;
  private hearsInvalidated = false;
  private hearsMemory = false;
  /** The run is one that was recorded: it is followed to its violation or its end. */
  private follows = false;
  private readonly progress = new Progress((event, body) => this.sendEvent(new Event(event, body)));
  /** The branch that the client knows the run is on. */
  private branch = 1;
  private newest = 1;
  /** So many branches that are kept no longer it was told of. */
  private dropped = 0;
  private readonly edited: Edited;
  private callOffLook: (() => void) | undefined;
  private looked = Number.NEGATIVE_INFINITY;
  private readonly outbox = new Outbox();

  constructor(private readonly host: Host) {
    super();
    this.edited = new Edited(host.read);
    this.sources = new Sources(host.listingUri, this.edited);
    this.sets = new BreakpointSets(this.sources);
    this.looking = new Looking(this.sources);
    this.changes = new Changes(this.looking);
    this.targets = new Targets(this.looking, this.sources);
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
      launch: always((a: unknown) =>
        this.unlessCancelled((attempt) => this.launchScenario(a, attempt)),
      ),
      attach: always((a: unknown) => this.unlessCancelled((attempt) => this.attach(a, attempt))),
      configurationDone: always(() => this.configurationDone(), `${S}ConfigurationDoneRequest`),
      restart: launched((a: P.RestartArguments) => this.restart(a), `${S}RestartRequest`),
      terminate: always(() => this.terminate(), `${S}TerminateRequest`),
      disconnect: always(() => this.disconnect()),
      cancel: always((a: P.CancelArguments) => this.cancel(a), `${S}CancelRequest`),
      setBreakpoints: always(
        (a: P.SetBreakpointsArguments) => {
          this.afterReply(() => this.lookAtFiles());
          return this.sets.setBreakpoints(a, this.session);
        },
        `${S}ConditionalBreakpoints`,
        `${S}HitConditionalBreakpoints`,
        `${S}LogPoints`,
      ),
      setFunctionBreakpoints: always(
        (a: P.SetFunctionBreakpointsArguments) => this.sets.setFunctionBreakpoints(a, this.session),
        `${S}FunctionBreakpoints`,
      ),
      dataBreakpointInfo: stopped(
        (a: P.DataBreakpointInfoArguments) => this.changes.dataBreakpointInfo(this.s, a),
        `${S}DataBreakpoints`,
        `${S}DataBreakpointBytes`,
      ),
      setDataBreakpoints: always((a: P.SetDataBreakpointsArguments) =>
        this.sets.setDataBreakpoints(a, this.session),
      ),
      setExceptionBreakpoints: always(
        (a: P.SetExceptionBreakpointsArguments) =>
          this.sets.setExceptionBreakpoints(a, this.session),
        `${S}ExceptionFilterOptions`,
      ),
      breakpointLocations: launched(
        (a: P.BreakpointLocationsArguments) => this.sets.locations(a, this.s),
        `${S}BreakpointLocationsRequest`,
      ),
      exceptionInfo: stopped(() => this.exceptionInfo(), `${S}ExceptionInfoRequest`),
      threads: always(() => ({ threads: this.threads() })),
      stackTrace: stopped(
        (a: P.StackTraceArguments) => this.looking.stackTrace(this.s, this.taskOf(a.threadId), a),
        `${S}DelayedStackTraceLoading`,
      ),
      scopes: stopped((a: P.ScopesArguments) => this.looking.scopes(this.s, a)),
      variables: stopped((a: P.VariablesArguments) => this.looking.variables(this.s, a)),
      setVariable: stopped(
        (a: P.SetVariableArguments) => this.changed(() => this.changes.setVariable(this.s, a)),
        `${S}SetVariable`,
      ),
      setExpression: stopped(
        (a: P.SetExpressionArguments) => this.changed(() => this.changes.setExpression(this.s, a)),
        `${S}SetExpression`,
      ),
      evaluate: stopped(
        (a: P.EvaluateArguments) => this.evaluate(a),
        `${S}EvaluateForHovers`,
        `${S}ClipboardContext`,
      ),
      completions: stopped(
        (a: P.CompletionsArguments) => this.looking.completions(this.s, a),
        `${S}CompletionsRequest`,
      ),
      source: launched((a: P.SourceArguments) => this.sources.content(this.s, a)),
      loadedSources: launched(() => this.sources.all(this.s), `${S}LoadedSourcesRequest`),
      continue: stopped((a: P.ContinueArguments) =>
        this.go(a, (s, task) => s.continue(task), true),
      ),
      reverseContinue: stopped(
        (a: P.ReverseContinueArguments) => this.go(a, (s, task) => s.reverseContinue(task)),
        `${S}StepBack`,
      ),
      next: stopped((a: P.NextArguments) => this.step(a, 'over'), `${S}SteppingGranularity`),
      stepIn: stopped((a: P.StepInArguments) =>
        a.targetId === undefined
          ? this.step(a, 'into')
          : this.choose(this.targets.choice(a.targetId)),
      ),
      stepOut: stopped((a: P.StepOutArguments) => this.step(a, 'out')),
      stepBack: stopped((a: P.StepBackArguments) => this.stepBack(a, 'over')),
      pause: launched((a: P.PauseArguments) => this.pause(a)),
      setInstructionBreakpoints: always(
        (a: P.SetInstructionBreakpointsArguments) =>
          this.sets.setInstructionBreakpoints(a, this.session),
        `${S}InstructionBreakpoints`,
      ),
      disassemble: launched(
        (a: P.DisassembleArguments) => this.disassemble(a),
        `${S}DisassembleRequest`,
      ),
      readMemory: stopped(
        (a: P.ReadMemoryArguments) => this.memory.readMemory(this.s, a),
        `${S}ReadMemoryRequest`,
      ),
      writeMemory: stopped(
        (a: P.WriteMemoryArguments) => this.changed(() => this.memory.writeMemory(this.s, a)),
        `${S}WriteMemoryRequest`,
      ),
      modules: launched((a: P.ModulesArguments) => modulesOf(this.s, a), `${S}ModulesRequest`),
      gotoTargets: stopped(
        (a: P.GotoTargetsArguments) => this.targets.gotoTargets(this.s, a),
        `${S}GotoTargetsRequest`,
      ),
      goto: stopped((a: P.GotoArguments) => this.journey(this.targets.goto(this.s, a))),
      stepInTargets: stopped(
        (a: P.StepInTargetsArguments) => this.targets.stepInTargets(this.s, a),
        `${S}StepInTargetsRequest`,
      ),
      restartFrame: stopped(
        (a: P.RestartFrameArguments) => this.journey(this.targets.restartFrame(this.s, a)),
        `${S}RestartFrame`,
      ),
      // Of our own: what the protocol has no word for. Every client may send them.
      'coherence/stepBackInto': stopped((a: P.StepBackArguments) => this.stepBack(a, 'into')),
      'coherence/stepBackOut': stopped((a: P.StepBackArguments) => this.stepBack(a, 'out')),
      'coherence/goto': stopped((a: { position?: unknown }) => this.travel(a)),
      'coherence/agents': stopped(() => ({ agents: agentsOf(this.s) })),
      'coherence/stepAgent': stopped((a: { agent: number; branch?: number }) =>
        this.choose({ agent: a.agent, branch: a.branch ?? 0 }),
      ),
      'coherence/hold': stopped((a: { agents: number[] }) => {
        this.s.held = new Set(a.agents);
      }),
      'coherence/report': stopped(() => ({ text: reportText(this.s) })),
      'coherence/time': launched(() => this.time()),
      'coherence/branches': stopped(() => {
        const { branch, branches } = this.s.timeline;
        return { branch, branches };
      }),
      'coherence/branch': stopped((a: { branch?: unknown }) => this.changeBranch(a.branch)),
      'coherence/faults': stopped(() => ({ faults: this.s.faults.all() })),
      [snapshotRequest]: stopped(() => this.snapshot()),
    };
  }

  // The request loop.

  override start(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): void {
    super.start(input, this.outbox.before(output) as NodeJS.WritableStream);
  }

  /** An answer and the stop that it leads to leave in one piece: the client is woken once. */
  protected override dispatchRequest(request: P.Request): void {
    const { command } = request;
    const ends = command === 'pause' && this.callOffLook !== undefined;
    const urgent = ends || ['disconnect', 'terminate', 'cancel'].includes(command);
    if (this.queue !== undefined && !urgent) {
      this.queue.push(request);
      return;
    }
    this.outbox.gather(() => this.serve(request));
  }

  private serve(request: P.Request): void {
    const response = new Response(request);
    this.serving = request.seq;
    try {
      const handler = Object.hasOwn(this.handlers, request.command)
        ? this.handlers[request.command]
        : undefined;
      if (handler === undefined) throw errors.unsupported(request.command);
      if (handler.when !== 'always' && this.session === undefined)
        throw errors.notLaunched(request.command);
      if (handler.when === 'stopped' && this.session?.stopped === undefined)
        throw errors.notStopped();
      if (handler.when === 'stopped' && this.ended) throw errors.ended(request.command);
      const args = request.arguments ?? {};
      const wrong = argumentsProblem(request.command, args);
      if (wrong !== undefined) throw errors.badArguments(request.command, wrong);
      const body = handler.answer(args as never);
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

  /** From now on requests wait, but for those that end what they wait for. */
  private holdRequests(): void {
    this.queue = [];
  }

  private serveWaiting(): void {
    const waiting = this.queue ?? [];
    this.queue = undefined;
    for (const request of waiting) this.dispatchRequest(request);
  }

  /** Reads and loads for the request that is being served, unless that is cancelled before: then all is as it was. */
  private async unlessCancelled(work: (attempt: Attempt) => Promise<void>): Promise<void> {
    const { serving, session } = this;
    const attempt = { isOff: false };
    const off = new Promise<never>((_, reject) => {
      this.underWay.set(serving, () => {
        attempt.isOff = true;
        this.session = session;
        reject(errors.cancelled());
      });
    });
    try {
      await Promise.race([off, work(attempt)]);
    } finally {
      this.underWay.delete(serving);
      if (attempt.isOff) setTimeout(() => this.serveWaiting()); // behind the answer
    }
  }

  private get s(): Session {
    if (this.session === undefined) throw errors.notLaunched('this request');
    return this.session;
  }

  // Life of a session.

  private initialize(args: P.InitializeRequestArguments): P.Capabilities {
    this.sources.lineBase = args.linesStartAt1 === false ? 0 : 1;
    this.sources.columnBase = args.columnsStartAt1 === false ? 0 : 1;
    this.hasPanels = args.clientID === 'vscode';
    this.hearsInvalidated = args.supportsInvalidatedEvent === true;
    this.hearsMemory = args.supportsMemoryEvent === true;
    this.progress.heard = args.supportsProgressReporting === true;
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

  private async launchScenario(args: unknown, attempt: Attempt, follows = false): Promise<void> {
    if (this.session !== undefined) throw errors.alreadyLaunched();
    const launch = parseLaunch(args);
    if (typeof launch === 'string') throw errors.badLaunch(launch);
    await this.open(launch, attempt);
    this.follows = follows;
    if (!this.configured) {
      await new Promise<void>((resolve) => {
        this.onConfigured = resolve;
      });
    }
    if (attempt.isOff) return;
    this.afterReply(() => this.begin());
  }

  /** To a run that was recorded, by its schedule, or by what `run --json` and `explore --json` printed of it. */
  private async attach(args: unknown, attempt: Attempt): Promise<void> {
    const given = typeof args === 'object' && args !== null ? args : {};
    const { witness, ...rest } = given as { witness?: unknown; schedule?: unknown };
    if (witness !== undefined && typeof witness !== 'string')
      throw errors.badLaunch('attach: "witness" names a file with a schedule');
    if (witness === undefined && typeof rest.schedule !== 'string')
      throw errors.badLaunch(
        'attach: "schedule" is the recorded run, or "witness" names a file that holds it; use launch for a new run',
      );
    let { schedule } = rest;
    if (witness !== undefined) {
      try {
        schedule = scheduleIn(await this.host.read(witness));
      } catch (error) {
        throw errors.badLaunch(
          error instanceof Error ? error.message : `${witness} cannot be read`,
        );
      }
      if (schedule === undefined)
        throw errors.badLaunch(`attach: there is no schedule in ${witness}`);
    }
    await this.launchScenario({ ...rest, schedule }, attempt, true);
  }

  private configurationDone(): void {
    this.configured = true;
    this.afterReply(() => this.onConfigured?.());
  }

  /** Reads and loads the scenario; what comes meanwhile waits. */
  private async open(launch: Launch, attempt: Attempt): Promise<void> {
    this.holdRequests();
    try {
      const session = new Session(await this.load(launch));
      if (attempt.isOff) return;
      session.output = (text) => this.print('console', `${text}\n`);
      this.launch = launch;
      this.branch = 1;
      this.newest = 1;
      this.dropped = 0;
      this.memory.forget();
      this.targets.forget();
      this.edited.forget();
      this.ended = false;
      this.session = session;
      session.timeline.budget = launch.history;
      session.breakpoints.enabled = !launch.noDebug;
      this.tellBreakpoints(session);
      if (this.hasPanels) this.sendEvent(new Event(loadedEvent));
    } finally {
      if (!attempt.isOff) this.serveWaiting();
    }
  }

  private async load({ program, options }: Launch): Promise<Debuggee> {
    let text: string;
    try {
      text = await this.host.read(program);
    } catch (error) {
      throw errors.badLaunch(error instanceof Error ? error.message : `${program} cannot be read`);
    }
    const read = await this.host.readAhead?.(program, text, this.host.read);
    const loaded = this.host.load(program, text, options, read);
    if (!isProblems(loaded)) return loaded;
    const lines = loaded.map((p) => problemText(program, p));
    if (lines.length > 1) this.print('stderr', `${lines.join('\n')}\n`);
    const more = lines.length > 1 ? ` (and ${lines.length - 1} more, see the debug console)` : '';
    throw errors.badLaunch(`${lines[0] ?? `${program}: nothing to run`}${more}`);
  }

  private begin(): void {
    const launch = this.launch!;
    this.forget();
    const { target } = this.s.debuggee;
    if (target !== undefined && !launch.noDebug) {
      this.s.goToTarget(target);
      this.untilEnd = false;
      this.stoodAtEnd = false;
      return this.tick();
    }
    if (this.follows && !launch.noDebug) {
      this.s.follow();
      return this.tick();
    }
    const stop = this.s.start(launch.stopOnEntry && !launch.noDebug);
    if (stop !== undefined) return this.report(stop);
    this.s.continue(this.s.next());
    this.untilEnd = true;
    this.stoodAtEnd = false;
    this.tick();
  }

  private async restart({ arguments: given }: P.RestartArguments): Promise<void> {
    const launch = given === undefined ? this.launch! : parseLaunch(given);
    if (typeof launch === 'string') throw errors.badLaunch(launch);
    this.halt();
    try {
      await this.unlessCancelled((attempt) => this.open(launch, attempt));
    } catch (error) {
      if (this.s.running) this.tick(); // what ran goes on
      throw error;
    }
    this.afterReply(() => this.begin());
  }

  /** Makes a change by hand; afterwards every view is told to look again. */
  private changed<T>(change: () => T): T {
    const body = change();
    this.afterReply(() => {
      const { s } = this;
      if (this.hearsInvalidated) this.sendEvent(new Event('invalidated', { areas: ['variables'] }));
      this.tellMemory();
      this.tellBranch();
      this.tellPanels(s.stopped!.title);
    });
    return body;
  }

  /** A client that shows memory reads it again. */
  private tellMemory(): void {
    if (!this.hearsMemory) return;
    for (const range of this.memory.stale()) this.sendEvent(new Event('memory', range));
  }

  /** Says where the data were lost of which a stop tells, and how to go there. */
  private tellLoss({ causes }: Stop): void {
    const lost = this.s.bookmarks.get('lost');
    if (causes.length === 0 || lost === undefined) return;
    this.print('console', `The data were lost at step ${lost}: "goto lost" goes there.\n`);
  }

  /** Says when the run has left what was recorded. */
  private tellBranch(): void {
    const { timeline } = this.s;
    const { branch, dropped } = timeline;
    const gone = dropped.slice(this.dropped);
    if (gone.length > 0) {
      this.dropped = dropped.length;
      const are = gone.length === 1 ? `Branch ${gone[0]} is` : `Branches ${gone.join(', ')} are`;
      this.print('console', `${are} kept no longer: ${this.s.boundText}.\n`);
    }
    if (branch === this.branch) return;
    const known = timeline.branches.find(({ id }) => id === this.branch);
    const isNew = branch > this.newest;
    this.branch = branch;
    if (!isNew) return; // it was changed to
    this.newest = branch;
    const { from } = timeline.branches.find(({ id }) => id === branch)!;
    const kept =
      known === undefined
        ? ''
        : ` Branch ${known.id}, up to step ${known.end}, is kept: "branch ${known.id}" goes back to it.`;
    this.print(
      'console',
      `The run branches at step ${from}: this is branch ${branch} now.${kept}\n`,
    );
  }

  private tellPanels(text: string): void {
    if (!this.hasPanels) return;
    const moved: Moved = { time: this.s.engine.steps, text };
    this.sendEvent(new Event(movedEvent, moved));
  }

  private terminate(): void {
    this.halt();
    this.afterReply(() => {
      this.callOff();
      this.end();
    });
  }

  private disconnect(): void {
    this.halt();
    this.afterReply(() => {
      this.callOff();
      setTimeout(() => this.shutdown()); // behind what is refused now
    });
  }

  private callOff(): void {
    for (const callOff of this.underWay.values()) callOff();
  }

  /** Ends a session whose client is gone. */
  override dispose(): void {
    this.halt();
    this.callOff();
  }

  private cancel({ requestId, progressId }: P.CancelArguments): void {
    if (progressId !== undefined && progressId === this.progress.id)
      return this.stopHere(undefined);
    const callOff = requestId === undefined ? undefined : this.underWay.get(requestId);
    if (callOff !== undefined) return this.afterReply(callOff);
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
      this.forget();
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
    if (!Number.isInteger(position))
      throw errors.badArguments('coherence/goto', 'position is a number of steps');
    this.afterReply(() => this.goes(() => this.s.goto(Number(position))));
  }

  private evaluate(
    args: P.EvaluateArguments,
  ): P.EvaluateResponse['body'] | Promise<P.EvaluateResponse['body']> {
    const { s } = this;
    const said =
      args.context === 'repl'
        ? command(s, args.expression, this.looking.frame(s, args.frameId))
        : undefined;
    if (said === undefined) return this.looking.evaluate(s, args);
    if ('error' in said) throw errors.cannotEvaluate(said.error);
    const { text, survey, go, stop } = said;
    if (survey !== undefined)
      return this.lookBack(survey).then((result) => ({ result, variablesReference: 0 }));
    if (go !== undefined) this.journey(go);
    else if (stop !== undefined) this.afterReply(() => this.goes(stop));
    return { result: text, variablesReference: 0 };
  }

  /** Frames, variables and targets that were given out are void: the run moves. */
  private forget(): void {
    this.looking.forget();
    this.targets.forget();
  }

  /** Stands somewhere else, or sets out to. */
  private goes(to: () => Stop | undefined): void {
    this.forget();
    this.untilEnd = false;
    this.stoodAtEnd = false;
    const stop = to();
    if (stop === undefined) this.tick();
    else this.report(stop);
  }

  /** Sets out on a journey. */
  private journey(motion: Motion): void {
    this.afterReply(() =>
      this.goes(() => {
        this.s.travel(motion);
        return undefined;
      }),
    );
  }

  private choose(choice: Choice): void {
    const problem = this.s.choiceProblem(choice);
    if (problem !== undefined) throw errors.cannotGo(problem);
    this.afterReply(() => this.goes(() => this.s.choose(choice)));
  }

  private disassemble(args: P.DisassembleArguments): P.DisassembleResponse['body'] {
    const instructions = disassemble(this.s, this.sources, args);
    if (instructions === undefined) throw errors.noSuchInstruction(args.memoryReference);
    return { instructions };
  }

  private changeBranch(id: unknown): void {
    const problem = this.s.branchProblem(Number(id));
    if (problem !== undefined) throw errors.noSuchBranch(problem);
    this.afterReply(() => this.goes(() => this.s.changeBranch(Number(id))));
  }

  private pause({ threadId }: P.PauseArguments): void {
    this.stopHere(threadId);
  }

  /** Stops a run where it is. */
  private stopHere(threadId: number | undefined): void {
    const { s } = this;
    if (this.callOffLook !== undefined) return this.afterReply(this.callOffLook);
    if (!s.running) return;
    this.afterReply(() => {
      this.halt();
      this.report(s.pause(s.threads.find((t) => t.task + 1 === threadId)?.task));
    });
  }

  private halt(): void {
    this.progress.end();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.callOffLook?.();
  }

  private readonly tick = (): void => {
    const { s } = this;
    const stop = slice(() => s.advance(chunkSteps));
    const message = `at step ${s.timeline.position}`;
    this.progress.passed(performance.now(), { title: 'Running', message });
    if (stop === undefined) this.timer = setTimeout(this.tick, 0);
    else this.report(stop);
  };

  /** Looks back over the run; requests wait meanwhile, but for those that call it off. */
  private lookBack(survey: Survey): Promise<string> {
    this.holdRequests();
    const { serving } = this;
    return new Promise((resolve, reject) => {
      const over = (answer: () => string): void => {
        clearTimeout(this.timer);
        this.callOffLook = undefined;
        this.underWay.delete(serving);
        this.progress.end();
        try {
          resolve(answer());
        } catch (error) {
          reject(error);
        }
        setTimeout(() => this.serveWaiting()); // behind the answer
      };
      const look = (): void => {
        try {
          const found = slice(() => survey.advance(chunkSteps));
          if (found !== undefined) return over(() => found);
        } catch (error) {
          return over(() => {
            survey.stop();
            throw error;
          });
        }
        const { what: message, done } = survey;
        this.progress.passed(performance.now(), { title: 'Looking back', message, done });
        this.timer = setTimeout(look, 0);
      };
      this.callOffLook = () => over(survey.stop);
      this.underWay.set(serving, this.callOffLook);
      look();
    });
  }

  /** Tells the client where and why the run stands. */
  private report(stop: Stop): void {
    this.progress.end();
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
    this.tellBranch();
    this.tellLoss(stop);
    this.sendEvent(new Event('stopped', body));
    this.tellMemory();
    this.tellPanels(title);
    if (performance.now() - this.looked > lookMs) this.lookAtFiles();
  }

  /** Says which files of the run were edited meanwhile; their breakpoints say so too. */
  private async lookAtFiles(): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    this.looked = performance.now();
    const turned = await this.edited.look(session.debuggee);
    if (this.session !== session) return;
    for (const path of turned) {
      this.print('important', `${editedText(path, this.edited.has(path))}\n`);
      const source = this.sources.of(session, { kind: 'scenario', path });
      this.sendEvent(new Event('loadedSource', { reason: 'changed', source }));
    }
    if (turned.length > 0) this.tellBreakpoints(session);
  }

  /** Places every breakpoint; says what has become of those of which the client was told otherwise. */
  private tellBreakpoints(session: Session): void {
    for (const breakpoint of this.sets.placeAgain(session))
      this.sendEvent(new Event('breakpoint', { reason: 'changed', breakpoint }));
  }

  private finish(): void {
    const { debuggee } = this.s;
    const { lines, exitCode, expectations = [] } = debuggee.verdict();
    this.print('console', `${lines.join('\n')}\n`);
    if (this.hasPanels) {
      const ended: Ended = { program: this.launch!.program, text: debuggee.text, expectations };
      this.sendEvent(new Event(endedEvent, ended));
    }
    this.sendEvent(new Event('exited', { exitCode }));
    this.end();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.sendEvent(new Event('terminated'));
  }

  private time() {
    const { timeline, engine } = this.s;
    return {
      position: timeline.position,
      end: timeline.end,
      hash: engine.store.hash(),
      schedule: timeline.schedule(),
      start: timeline.start,
      branch: timeline.branch,
      historyBytes: timeline.bytes,
    };
  }

  private snapshot() {
    const { debuggee, engine, faults } = this.s;
    const nameOf = (struct: string, at: number) => debuggee.nameOf(struct, at);
    return takeSnapshot(engine, nameOf, faults.latest(), debuggee.absent());
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
      details: {
        message: stop.title,
        typeName: label,
        ...(stop.fault && { stackTrace: faultText(stop.fault).join('\n') }),
      },
    };
  }

  // Looking.

  private threads(): P.Thread[] {
    const { session } = this;
    if (session === undefined) return [];
    return session.threads.map(({ task, name }) => ({ id: task + 1, name }));
  }

  private taskOf(threadId: unknown): number {
    const task = Number(threadId) - 1;
    if (!this.s.threads.some((t) => t.task === task)) throw errors.noSuchThread(threadId);
    return task;
  }

  private print(category: 'console' | 'important' | 'stderr', output: string): void {
    this.sendEvent(new Event('output', { category, output }));
  }
}

/** Does some work again and again until it comes to something, or has kept the thread for long enough. */
function slice<T>(work: () => T | undefined): T | undefined {
  const until = performance.now() + sliceMs;
  let found: T | undefined;
  do found = work();
  while (found === undefined && performance.now() < until);
  return found;
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
