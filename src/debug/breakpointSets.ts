// Breakpoints as a client sets them: whole sets at a time, perhaps before there is a program to place them in, and
// kept over a restart. What the client was told of each is remembered, so that it hears of changes only.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { type Answer, breakablePlaces, place, type SourceKey, type Wanted } from './placing';
import type { Session } from './session';
import type { Sources } from './sources';

/** Breakpoints that the client sets together: those of a source, all functions, all filters. */
interface WantedSet {
  readonly source?: P.Source;
  readonly wanted: readonly Wanted[];
}

interface Answered {
  readonly breakpoints: P.Breakpoint[];
}

export class BreakpointSets {
  private readonly wanted = new Map<string, WantedSet>();
  private readonly told = new Map<number, string>();
  private last = 0;

  constructor(private readonly sources: Sources) {}

  setBreakpoints(args: P.SetBreakpointsArguments, session: Session | undefined): Answered {
    const { source, breakpoints, lines } = args;
    const asked: P.SourceBreakpoint[] = breakpoints ?? (lines ?? []).map((line) => ({ line }));
    const wanted = asked.map((b) => ({
      ...this.want(b),
      at: {
        kind: 'line',
        line: b.line - this.sources.lineBase,
        column: b.column === undefined ? undefined : b.column - this.sources.columnBase,
      } as const,
    }));
    return this.replace(`source ${this.sources.idOf(source)}`, { source, wanted }, session);
  }

  setFunctionBreakpoints(
    args: P.SetFunctionBreakpointsArguments,
    session: Session | undefined,
  ): Answered {
    const wanted = args.breakpoints.map((b) => ({
      ...this.want(b),
      at: { kind: 'function', name: b.name } as const,
    }));
    return this.replace('functions', { wanted }, session);
  }

  setExceptionBreakpoints(
    args: P.SetExceptionBreakpointsArguments,
    session: Session | undefined,
  ): Answered {
    const plain: P.ExceptionFilterOptions[] = (args.filters ?? []).map((filterId) => ({
      filterId,
    }));
    const wanted = [...plain, ...(args.filterOptions ?? [])].map((option) => ({
      ...this.want(option),
      at: { kind: 'filter', filter: option.filterId } as const,
    }));
    return this.replace('filters', { wanted }, session);
  }

  setInstructionBreakpoints(
    args: P.SetInstructionBreakpointsArguments,
    session: Session | undefined,
  ): Answered {
    const wanted = args.breakpoints.map((b) => ({
      ...this.want(b),
      at: {
        kind: 'instruction',
        reference: b.instructionReference,
        offset: b.offset ?? 0,
      } as const,
    }));
    return this.replace('instructions', { wanted }, session);
  }

  setDataBreakpoints(args: P.SetDataBreakpointsArguments, session: Session | undefined): Answered {
    const wanted = args.breakpoints.map((b) => ({
      ...this.want(b),
      at: { kind: 'data', id: b.dataId, access: b.accessType ?? 'write' } as const,
    }));
    return this.replace('data', { wanted }, session);
  }

  private want(b: { condition?: string; hitCondition?: string; logMessage?: string }) {
    return {
      id: ++this.last,
      condition: b.condition?.trim() || undefined,
      hitCondition: b.hitCondition?.trim() || undefined,
      log: b.logMessage,
    };
  }

  /** Replaces a set, and says what became of each. Before a launch nothing can be placed: they are pending. */
  private replace(key: string, set: WantedSet, session: Session | undefined): Answered {
    for (const { id } of this.wanted.get(key)?.wanted ?? []) this.told.delete(id);
    this.wanted.set(key, set);
    const message = 'placed when the scenario is loaded';
    const breakpoints =
      session === undefined
        ? set.wanted.map(
            ({ id }): P.Breakpoint => ({ id, verified: false, message, reason: 'pending' }),
          )
        : this.placeSet(session, key, set);
    return { breakpoints: breakpoints.map((b) => this.remember(b)) };
  }

  private placeSet(session: Session, key: string, { source, wanted }: WantedSet): P.Breakpoint[] {
    const at = source && this.sources.keyOf(session, source);
    const answers = wanted.map((w) => place(session, w, at));
    session.breakpoints.replace(
      key,
      answers.flatMap((a) => a.placed ?? []),
    );
    return answers.map((answer, i) => {
      const { id, at: asked } = wanted[i]!;
      const inline = asked.kind === 'line' && asked.column !== undefined;
      return this.breakpoint(session, id, answer, at, inline);
    });
  }

  /** Places every breakpoint in a new program; those of which the client was told otherwise. */
  placeAgain(session: Session): P.Breakpoint[] {
    const changed: P.Breakpoint[] = [];
    for (const [key, set] of this.wanted) {
      for (const breakpoint of this.placeSet(session, key, set)) {
        if (this.told.get(breakpoint.id!) === JSON.stringify(breakpoint)) continue;
        changed.push(this.remember(breakpoint));
      }
    }
    return changed;
  }

  private remember(breakpoint: P.Breakpoint): P.Breakpoint {
    this.told.set(breakpoint.id!, JSON.stringify(breakpoint));
    return breakpoint;
  }

  private breakpoint(
    session: Session,
    id: number,
    { problem, range }: Answer,
    at: SourceKey | undefined,
    inline: boolean,
  ): P.Breakpoint {
    if (problem !== undefined) return { id, verified: false, message: problem, reason: 'failed' };
    if (range === undefined || at === undefined) return { id, verified: true };
    const message = this.sources.warning(at);
    return {
      id,
      verified: true,
      ...(message !== undefined && { message }),
      source: this.sources.of(session, at),
      line: range.start.line + this.sources.lineBase,
      ...(inline && { column: range.start.column + this.sources.columnBase }),
    };
  }

  /** The places within a range at which a breakpoint can stand. */
  locations(
    args: P.BreakpointLocationsArguments,
    session: Session,
  ): P.BreakpointLocationsResponse['body'] {
    const { lineBase, columnBase } = this.sources;
    const { source, line, endLine = line } = args;
    const at = this.sources.keyOf(session, source);
    const places =
      at === undefined ? [] : breakablePlaces(session, at, line - lineBase, endLine - lineBase);
    if (at?.kind !== 'scenario')
      return { breakpoints: places.map(({ start }) => ({ line: start.line + lineBase })) };
    return {
      breakpoints: places.map(({ start, end }) => ({
        line: start.line + lineBase,
        column: start.column + columnBase,
        endLine: end.line + lineBase,
        endColumn: end.column + columnBase,
      })),
    };
  }
}
