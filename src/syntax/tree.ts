// The tree of a scenario file: plain data, told apart by `kind`, with offsets. No parents, no methods, no
// meaning: that an operation exists or a name is known is decided in scenario/. A part that the author has
// not typed yet is `undefined`.
import type { Span } from '../base/text';

/** A word in the text. */
export interface Name extends Span {
  readonly text: string;
}

/** What a file holds: statements that stand before the first scenario are shared by all of them. */
export interface ScenarioFile extends Span {
  readonly kind: 'file';
  readonly shared: readonly Statement[];
  readonly scenarios: readonly Scenario[];
  readonly comments: readonly Span[];
}

/** `scenario "title"` and all that follows until the next one. */
export interface Scenario extends Span {
  readonly kind: 'scenario';
  readonly heading: Span;
  readonly title: Name | undefined;
  readonly body: readonly Statement[];
}

/** `{ … }`; the span includes the braces. */
export interface Block extends Span {
  readonly statements: readonly Statement[];
  /** False when the closing brace is missing. */
  readonly closed: boolean;
}

export type Statement =
  | Import
  | Const
  | Procedure
  | Outcomes
  | Machine
  | Explore
  | Schedule
  | Surface
  | Process
  | Thread
  | Let
  | Repeat
  | If
  | Assert
  | Property
  | Operation;

/** `import "rings.coh"`: what stands there before the first scenario. */
export interface Import extends Span {
  readonly kind: 'import';
  readonly file: Name | undefined;
}

/** `const section = 32KiB` */
export interface Const extends Span {
  readonly kind: 'const';
  readonly name: Name | undefined;
  readonly value: Expression | undefined;
}

/** `procedure fill(range, value) { … }`; called as `fill(p[0 .. 4KiB], 7)`. */
export interface Procedure extends Span {
  readonly kind: 'procedure';
  readonly name: Name | undefined;
  readonly parameters: readonly Name[];
  readonly body: Block | undefined;
}

/** `outcomes (gpu(ring)[0], reader.x) { allowed (0, 1) … }` */
export interface Outcomes extends Span {
  readonly kind: 'outcomes';
  readonly observed: readonly Expression[] | undefined;
  readonly body: Block | undefined;
}

/** `machine { kernel series-v2, cpus 2, with bz-01 }` */
export interface Machine extends Span {
  readonly kind: 'machine';
  readonly settings: readonly Setting[];
}

/** `explore { bound 3, states 100000 }` */
export interface Explore extends Span {
  readonly kind: 'explore';
  readonly settings: readonly Setting[];
}

export interface Setting extends Span {
  readonly key: Name;
  readonly values: readonly Name[];
}

/** `schedule "…"`, or in words: `schedule { render until pfn_mkwrite returns }` */
export interface Schedule extends Span {
  readonly kind: 'schedule';
  readonly text: Name | undefined;
  readonly body: Block | undefined;
}

/** `surface ring: buffer 96KiB coherent` */
export interface Surface extends Span {
  readonly kind: 'surface';
  readonly name: Name | undefined;
  readonly attributes: readonly Expression[];
}

/** `process app { … }`, `process child forks app { … }`; `cpu` is where its own statements run. */
export interface Process extends Span {
  readonly kind: 'process';
  readonly name: Name | undefined;
  /** The process that it is forked from. */
  readonly parent: Name | undefined;
  readonly cpu: Name | undefined;
  readonly body: Block | undefined;
}

/** `thread render on cpu0 { … }` */
export interface Thread extends Span {
  readonly kind: 'thread';
  readonly name: Name | undefined;
  readonly cpu: Name | undefined;
  readonly body: Block | undefined;
}

/** `let section = (frame % 3) * 32KiB`, `let p = map ring` */
export interface Let extends Span {
  readonly kind: 'let';
  readonly name: Name | undefined;
  readonly value: Expression | Operation | undefined;
}

/** `repeat 6 as frame { … }` */
export interface Repeat extends Span {
  readonly kind: 'repeat';
  readonly count: Expression | undefined;
  readonly counter: Name | undefined;
  readonly body: Block | undefined;
}

/** `if … { … } else { … }`; `else if` nests. */
export interface If extends Span {
  readonly kind: 'if';
  readonly condition: Expression | undefined;
  readonly then: Block | undefined;
  readonly otherwise: Block | If | undefined;
}

/** `assert gpu(ring)[64KiB] == 5` */
export interface Assert extends Span {
  readonly kind: 'assert';
  readonly condition: Expression | undefined;
}

/** `always …`, `never …`, `finally …` */
export interface Property extends Span {
  readonly kind: 'property';
  readonly when: 'always' | 'never' | 'finally';
  readonly condition: Expression | undefined;
}

/**
 * Everything that is done: `write p[0 .. 4KiB] = 7`, `wait done[3]`, `copy a[0] to b[0]`,
 * `submit { draw reads ring } as done[frame]`. The verb and what may follow it are data in scenario/.
 */
export interface Operation extends Span {
  readonly kind: 'operation';
  readonly verb: Name;
  /** In parentheses behind the verb: `fill(p, 7)`, `allowed (0, 1)`. */
  readonly parameters: readonly Expression[] | undefined;
  readonly target: Path | undefined;
  /** Behind `=`. */
  readonly value: Expression | undefined;
  readonly clauses: readonly Clause[];
  /** Words and numbers that stand alone: `map ring private`. */
  readonly words: readonly Name[];
  /** Behind `as`. */
  readonly result: Path | undefined;
  /** Behind `else`: what receives the error. */
  readonly failure: Path | undefined;
  readonly body: Block | undefined;
}

/** `reads ring[0 .. 4KiB]`, `writes ring[0] = 7`, `to b[0]`; `at 0x10000` has a value and no target. */
export interface Clause extends Span {
  readonly word: Name;
  readonly target: Path | undefined;
  readonly value: Expression | undefined;
}

/** What names a thing or a part of it. */
export type Path = Reference | Member | Index | Call;

export type Expression =
  | Path
  | NumberLiteral
  | TextLiteral
  | BooleanLiteral
  | PageCount
  | Unary
  | Binary
  | Parenthesized;

export interface Reference extends Span {
  readonly kind: 'reference';
  readonly name: string;
}

/** `faults.write` */
export interface Member extends Span {
  readonly kind: 'member';
  readonly object: Path;
  readonly member: Name | undefined;
}

/** `done[3]`, `p[0 .. 4KiB]`, `p[4KiB ..]` */
export interface Index extends Span {
  readonly kind: 'index';
  readonly object: Path;
  /** True with `..`: then a missing start is the beginning and a missing end is the end. */
  readonly range: boolean;
  readonly start: Expression | undefined;
  readonly end: Expression | undefined;
}

/** `pte(p[0])` */
export interface Call extends Span {
  readonly kind: 'call';
  readonly callee: Path;
  readonly parameters: readonly Expression[];
}

/** `5`, `0x1f`, `32KiB`, `8pages`; the unit is multiplied in. */
export interface NumberLiteral extends Span {
  readonly kind: 'number';
  readonly value: number;
  readonly unit: 'bytes' | undefined;
}

export interface TextLiteral extends Span {
  readonly kind: 'text';
  readonly text: string;
}

export interface BooleanLiteral extends Span {
  readonly kind: 'boolean';
  readonly value: boolean;
}

/** `8 pages`: the number of bytes in so many pages. */
export interface PageCount extends Span {
  readonly kind: 'pages';
  readonly count: Expression | undefined;
}

export interface Unary extends Span {
  readonly kind: 'unary';
  readonly operator: '-' | 'not';
  readonly operand: Expression | undefined;
}

/** Signs and words between two values. */
export const binaryOperators = [
  '*',
  '/',
  '%',
  '+',
  '-',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'and',
  'or',
  'implies',
] as const;

export type BinaryOperator = (typeof binaryOperators)[number];

export interface Binary extends Span {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expression | undefined;
  readonly right: Expression | undefined;
}

export interface Parenthesized extends Span {
  readonly kind: 'parenthesized';
  readonly inner: Expression | undefined;
}
