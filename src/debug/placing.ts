// From what a client wants (a line of a source, a function, a filter) to places in a program, or the reason why there
// is none. Lines and columns count from 0.
import { nearest } from '../base/suggest';
import type { Position } from '../base/text';
import type { Op } from '../routine/program';
import type { SourceSpan } from '../routine/routine';
import { type Breakpoint, functionPattern, type Placed, parseHitCondition } from './breakpoints';
import type { Debuggee } from './debuggee';
import type { Session } from './session';
import { filters } from './stops';
import { withNames } from './values';
import type { Access } from './watches';

/** A source as the debugger tells them apart. */
export type SourceKey =
  | { readonly kind: 'scenario'; readonly path: string }
  | { readonly kind: 'listing'; readonly file: string };

/** A breakpoint as the client asked for it. It outlives a program: a restart places it again. */
export interface Wanted {
  readonly id: number;
  readonly at:
    | { readonly kind: 'line'; readonly line: number; readonly column?: number | undefined }
    | { readonly kind: 'function'; readonly name: string }
    | { readonly kind: 'filter'; readonly filter: string }
    | { readonly kind: 'instruction'; readonly reference: string; readonly offset: number }
    | { readonly kind: 'data'; readonly id: string; readonly access: Access };
  readonly condition: string | undefined;
  readonly hitCondition: string | undefined;
  readonly log: string | undefined;
}

/** Where it came to be. */
export interface Answer {
  readonly placed: Placed | undefined;
  /** Why it cannot stop anything; undefined when it can. */
  readonly problem: string | undefined;
  readonly range: { readonly start: Position; readonly end: Position } | undefined;
}

/** Places one breakpoint in the program of a session; one at a line in `source`. */
export function place(session: Session, wanted: Wanted, source?: SourceKey): Answer {
  const { condition, hitCondition, log, id } = wanted;
  const problem = (message: string): Answer => ({
    placed: undefined,
    problem: message,
    range: undefined,
  });
  const form =
    condition && withNames(condition, (path) => (path.includes('->') ? 'path' : undefined));
  const wrong = form === undefined ? undefined : session.debuggee.check(form);
  if (wrong !== undefined)
    return problem(`the condition '${condition}' is no expression: ${wrong}`);
  const hitTest = hitCondition === undefined ? undefined : parseHitCondition(hitCondition);
  if (hitCondition !== undefined && hitTest === undefined) {
    return problem(
      `'${hitCondition}' is no hit count: write a number, or one after ==, >=, >, <=, < or %`,
    );
  }
  const breakpoint = (what: string): Breakpoint => ({
    id,
    kind: wanted.at.kind,
    what,
    condition,
    hitTest,
    log,
    hits: 0,
  });
  switch (wanted.at.kind) {
    case 'line': {
      if (source === undefined) return problem('this file takes no part in the run');
      const { line, column } = wanted.at;
      const found = atLine(session, source, line, column, breakpoint);
      return found ?? problem('no operation stands at or after this line');
    }
    case 'function': {
      const { name } = wanted.at;
      const pattern = functionPattern(name);
      const { program } = session.engine;
      const named = program.routines.filter((code) => pattern.test(code.routine.name));
      const found = named.length > 0 ? named : program.called(name);
      if (found.length === 0) {
        const near = nearest(name, program.names());
        return problem(
          `no emulated function is called ${name}${near === undefined ? '' : `; did you mean ${near}?`}`,
        );
      }
      const placed = {
        breakpoint: breakpoint(found.length === 1 ? found[0]!.routine.name : name),
        entries: found,
      };
      return { placed, problem: undefined, range: undefined };
    }
    case 'instruction': {
      const { reference, offset } = wanted.at;
      const { instructions } = session;
      const op = instructions.byNumber((instructions.indexOf(reference) ?? Number.NaN) + offset);
      if (op === undefined) return problem(`${reference} is the address of no micro-step`);
      const made = breakpoint(`${op.of.routine.name}: ${op.text}`);
      return { placed: { breakpoint: made, ops: [op] }, problem: undefined, range: undefined };
    }
    case 'data': {
      const { id, access } = wanted.at;
      const location = session.debuggee.locations.at(id);
      if (typeof location === 'string') return problem(location);
      const made = breakpoint(location.what);
      const watch = { breakpoint: made, location, access };
      return { placed: { breakpoint: made, watch }, problem: undefined, range: undefined };
    }
    case 'filter': {
      const { filter: wantedId } = wanted.at;
      const filter = filters.find((f) => f.id === wantedId);
      if (filter === undefined) return problem(`there is no exception filter ${wantedId}`);
      return {
        placed: { breakpoint: breakpoint(filter.label), filter },
        problem: undefined,
        range: undefined,
      };
    }
  }
}

/** Where a breakpoint can stand within the lines [from, to]: each place once, in order. */
export function breakablePlaces(
  session: Session,
  source: SourceKey,
  from: number,
  to: number,
): { readonly start: Position; readonly end: Position }[] {
  if (source.kind === 'listing') {
    const listing = session.listings.byFile(source.file);
    const lines = listing === undefined ? [] : session.listings.linesWithin(listing, from, to);
    return lines.map((line) => ({ start: { line, column: 0 }, end: { line, column: 0 } }));
  }
  const within = statements(session, source.path).filter(({ line }) => line >= from && line <= to);
  const first = within.filter(
    ({ span }, i) => within.findIndex((other) => other.span.from === span.from) === i,
  );
  return first
    .sort((a, b) => a.span.from - b.span.from)
    .map(({ span }) => {
      const { start, end } = spanRange(session, span);
      return { start, end };
    });
}

/** The operations of the first line from `line` on at which one stands; of several statements that at a column. */
export function opsAtLine(
  session: Session,
  source: SourceKey,
  line: number,
  column?: number,
): { readonly ops: readonly Op[]; readonly line: number } | undefined {
  if (source.kind === 'listing') {
    const listing = session.listings.byFile(source.file);
    const found = listing && session.listings.opFrom(listing, line);
    return found && { ops: [found.place.code.ops[found.place.pc]!], line: found.line };
  }
  const all = statements(session, source.path);
  const at = Math.min(...all.map((s) => s.line).filter((l) => l >= line));
  const here = all.filter((s) => s.line === at);
  if (here.length === 0) return undefined;
  const columns = here.map((s) => s.column);
  const wanted = column === undefined || at !== line ? undefined : column;
  const first = Math.min(...columns);
  const chosen = wanted && Math.max(first, ...columns.filter((c) => c <= wanted));
  const some = chosen === undefined ? here : here.filter((s) => s.column === chosen);
  return { ops: some.map((s) => s.op), line: at };
}

/** A span of the scenario as lines and columns, and the file that it is in. */
export function spanRange(
  { debuggee }: Session,
  { from, to }: SourceSpan,
): { path: string; start: Position; end: Position } {
  const { path, ...start } = debuggee.placeAt(from);
  return { path, start, end: debuggee.placeAt(to) };
}

function atLine(
  session: Session,
  source: SourceKey,
  line: number,
  column: number | undefined,
  breakpoint: (what: string) => Breakpoint,
): Answer | undefined {
  const found = opsAtLine(session, source, line, column);
  const [op] = found?.ops ?? [];
  if (found === undefined || op === undefined) return undefined;
  const { ops, line: at } = found;
  const own = source.kind === 'scenario' ? op.span : undefined;
  const start = { line: at, column: 0 };
  const range = own === undefined ? { start, end: start } : spanRange(session, own);
  const what =
    source.kind === 'scenario'
      ? `line ${at + 1}`
      : `${op.of.routine.name}, ${source.file} line ${at + 1}`;
  const { start: from, end } = range;
  return {
    placed: { breakpoint: breakpoint(what), ops },
    problem: undefined,
    range: { start: from, end },
  };
}

/** The first line of what a span holds, and where it is; lines from 0. */
export function firstLine(
  debuggee: Pick<Debuggee, 'files' | 'placeAt'>,
  { from, to }: SourceSpan,
): { path: string; line: number; text: string } {
  const { path, line, column } = debuggee.placeAt(from);
  const text =
    debuggee.files.find((file) => file.path === path)?.text.split(/\r\n|\r|\n/)[line] ?? '';
  return { path, line, text: text.slice(column, column + to - from).trim() };
}

/** The first operation of a statement, with the line that it begins on. */
interface Statement {
  readonly line: number;
  readonly column: number;
  readonly op: Op;
  readonly span: SourceSpan;
}

/** Those of every run by their files: a client may ask for thousands of lines. */
const known = new WeakMap<Debuggee, ReadonlyMap<string, readonly Statement[]>>();

/** The statements in a file of the scenario. */
function statements({ debuggee }: Session, path: string): readonly Statement[] {
  let all = known.get(debuggee);
  if (all === undefined) {
    all = allStatements(debuggee);
    known.set(debuggee, all);
  }
  return all.get(path) ?? [];
}

function allStatements(debuggee: Debuggee): ReadonlyMap<string, readonly Statement[]> {
  const found = new Map<string, Statement[]>();
  for (const op of debuggee.engine.program.routines.flatMap(({ ops }) => ops)) {
    if (!op.turn || op.span === undefined) continue;
    const { path, line, column } = debuggee.placeAt(op.span.from);
    const there = found.get(path);
    const statement = { line, column, op, span: op.span };
    if (there === undefined) found.set(path, [statement]);
    else there.push(statement);
  }
  return found;
}
