// Names and where they are known. A scope knows its own names and those around it; whoever resolves a name
// leaves a note of the use, from which definition, references and rename are answered.

import type { Fix } from '../base/fixes';
import { nearest } from '../base/suggest';
import type { Span } from '../base/text';
import type { Name, Procedure } from '../syntax/tree';
import type { Thing } from './expressions';
import type { Family, SurfaceMeaning, Type, Value, Variable } from './meaning';
import { counters, errors, looks, methods, occurrences } from './vocabulary';

/** What a name stands for. `declared` is the name where it was introduced. */
export type Entity = { readonly name: string; readonly declared: Span } & (
  | { readonly kind: 'constant'; readonly value: number; readonly type: Type }
  | { readonly kind: 'procedure'; readonly procedure: Procedure; readonly home: Scope }
  /** What a procedure is given: known where it is called, unknown where it is only read. */
  | { readonly kind: 'parameter'; readonly thing: Thing | undefined }
  | { readonly kind: 'variable'; readonly variable: Variable }
  | { readonly kind: 'surface'; readonly surface: SurfaceMeaning }
  | { readonly kind: 'fence' | 'event'; readonly family: Family; readonly indexed: boolean }
  | { readonly kind: 'process' | 'thread' }
  | { readonly kind: 'cpu'; readonly cpu: number }
  /** Of an event, in the condition of `events(…)`. */
  | { readonly kind: 'argument'; readonly type: 'number' | 'boolean' }
  /** Its own line has a problem; what follows from that is not reported. */
  | { readonly kind: 'broken' }
);

export interface Use extends Span {
  readonly entity: Entity;
}

export type Severity = 'error' | 'warning';
export interface Diagnostic extends Span {
  readonly severity: Severity;
  readonly message: string;
  readonly fix: Fix | undefined;
}

/** Takes a problem; `fix` is a change of the text with which the message goes. */
export type Report = (span: Span, message: string, severity?: Severity, fix?: Fix) => void;

/** Names that the language knows by itself. */
export const builtins: ReadonlySet<string> = new Set([
  ...Object.keys(counters).map((counter) => counter.replace(/\..*/, '')),
  ...Object.keys(occurrences),
  ...Object.keys(methods),
  ...Object.keys(errors),
  ...Object.keys(looks),
]);

const isNoValue: ReadonlySet<Entity['kind']> = new Set(['process', 'thread', 'cpu', 'procedure']);

/**
 * What resolving leaves behind for the editor: every use of a name, which part of the text a scope covers, ranges of
 * bytes with their ends, sizes with the bytes they are, places of mappings with where they begin.
 */
export interface Notes {
  readonly uses: Use[];
  readonly scopes: { readonly span: Span; readonly scope: Scope }[];
  readonly ranges: (Span & { readonly start: Value; readonly end: Value })[];
  readonly sizes: (Span & { readonly bytes: number })[];
  readonly places: (Span & { readonly name: string; readonly first: Span })[];
}

export const emptyNotes = (): Notes => ({
  uses: [],
  scopes: [],
  ranges: [],
  sizes: [],
  places: [],
});

export class Scope {
  private readonly own = new Map<string, Entity>();

  constructor(
    private readonly outer: Scope | undefined,
    readonly notes: Notes,
    span: Span,
    /** A procedure's: what is named in it may have the name of something outside. */
    private readonly apart = false,
  ) {
    notes.scopes.push({ span, scope: this });
  }

  /** A scope inside of this one, for this part of the text. */
  inner(span: Span): Scope {
    return new Scope(this, this.notes, span);
  }

  /** The scope of a procedure, whose names may be those of something outside of it. */
  procedure(span: Span): Scope {
    return new Scope(this, this.notes, span, true);
  }

  /** What has the name already, as far as another one would be in its way. */
  private taken(name: string): Entity | undefined {
    return this.own.get(name) ?? (this.apart ? undefined : this.outer?.taken(name));
  }

  /** Introduces a name; says so when it is taken, for then one of the two would be out of reach. */
  declare(entity: Entity, report: Report): void {
    const known = this.taken(entity.name);
    // What is asked with parentheses is told apart by them.
    if (builtins.has(entity.name) && !Object.hasOwn(looks, entity.name))
      report(entity.declared, `\`${entity.name}\` is a word of the language; choose another name`);
    else if (known !== undefined)
      report(
        entity.declared,
        `there is ${article(known)} \`${entity.name}\` already; choose another name`,
      );
    else this.own.set(entity.name, entity);
    this.notes.uses.push({ from: entity.declared.from, to: entity.declared.to, entity });
  }

  /** Introduces a name that comes before all others, whatever they are: an event's argument in a condition. */
  override(entity: Entity): void {
    this.own.set(entity.name, entity);
  }

  find(name: string): Entity | undefined {
    return this.own.get(name) ?? this.outer?.find(name);
  }

  /** The entity of a name, noted as a use. */
  use(name: Name): Entity | undefined {
    const entity = this.find(name.text);
    if (entity !== undefined) this.notes.uses.push({ from: name.from, to: name.to, entity });
    return entity;
  }

  /** All entities known here, the nearest first. */
  entities(): Entity[] {
    return [...this.own.values(), ...(this.outer?.entities() ?? [])];
  }

  /** The names known here that an expression can use, the nearest first. */
  values(): string[] {
    return this.entities()
      .filter(({ kind }) => !isNoValue.has(kind))
      .map(({ name }) => name);
  }

  /** The known name that was probably meant, of one of these kinds. */
  suggestion(name: string, kinds: readonly Entity['kind'][]): string | undefined {
    return nearest(
      name,
      this.entities()
        .filter((entity) => kinds.includes(entity.kind))
        .map((entity) => entity.name),
    );
  }
}

function article(entity: Entity): string {
  if (entity.kind === 'broken') return 'something named';
  return entity.kind === 'event' ? 'an event' : `a ${entity.kind}`;
}
