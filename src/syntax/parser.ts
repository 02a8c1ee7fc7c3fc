// From text to tree. The grammar (coherence.grammar, on the Lezer library) recovers on every line; here its
// nodes become the plain tree of tree.ts, and what is missing or too much becomes problems, one per line at
// most: the first mistake of a line explains the others. Never throws, whatever the text is.
import { Tree, type TreeCursor, TreeFragment } from '@lezer/common';
import { type Fix, inserted, removed, replaced } from '../base/fixes';
import { nearest } from '../base/suggest';
import { lineAt, lineStarts, type Span } from '../base/text';
import { type FormName, forms, reserved, statementWords } from './forms';
import { parser } from './grammar';
import { readNumber } from './numbers';
import {
  type Binary,
  type BinaryOperator,
  type Block,
  binaryOperators,
  type Clause,
  type Expression,
  type If,
  type Index,
  type Name,
  type Operation,
  type Path,
  type Scenario,
  type ScenarioFile,
  type Setting,
  type Statement,
} from './tree';

export interface Problem extends Span {
  readonly message: string;
  readonly fix: Fix | undefined;
}

export interface Parsed {
  readonly text: string;
  readonly lines: readonly number[];
  readonly file: ScenarioFile;
  readonly problems: readonly Problem[];
  /** False when braces do not pair: then nobody can tell which block a statement belongs to. */
  readonly paired: boolean;
  /**
   * False when braces do not pair or the text nests too deeply: how the library recovers from that depends on where it
   * began, and what is said of a text must not depend on how it came about.
   */
  readonly reusable: boolean;
  /** The library's tree: what the next parse reuses, and where the formatter finds the tokens. */
  readonly syntax: Tree;
}

/** Of braces in a file, and of other brackets on a line. */
const NESTING_MAX = 100;
/** Of nodes in the tree; a long sum nests, too. */
const DEPTH_MAX = 500;

/** Parses `text`; with the parse of an earlier state of the text, only what an edit touched is parsed again. */
export function parse(text: string, previous?: Parsed): Parsed {
  const lines = lineStarts(text);
  const deep = tooDeepAt(text);
  if (deep !== undefined) return unread(text, lines, deep);
  if (previous?.reusable === true) {
    const syntax = parser.parse(text, reusable(previous, text));
    const converted = convert(text, lines, syntax);
    if (converted.reusable) return { text, lines, syntax, ...converted };
  }
  const syntax = parser.parse(text);
  return { text, lines, syntax, ...convert(text, lines, syntax) };
}

/** A text that nests deeper than anybody reads is not looked at any further: recovery would take its time. */
function unread(text: string, lines: readonly number[], at: number): Parsed {
  const file: ScenarioFile = {
    kind: 'file',
    from: 0,
    to: text.length,
    shared: [],
    scenarios: [],
    comments: [],
  };
  const message = 'brackets are nested too deeply here';
  const problem = { from: at, to: at + 1, message, fix: undefined };
  return {
    text,
    lines,
    file,
    problems: [problem],
    paired: false,
    reusable: false,
    syntax: Tree.empty,
  };
}

/** Where brackets are nested too deeply, if they are. Round and square ones end with their line. */
function tooDeepAt(text: string): number | undefined {
  let blocks = 0;
  let brackets = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 10:
      case 13:
        brackets = 0;
        break;
      case 40: // (
      case 91: // [
        if (++brackets > NESTING_MAX) return i;
        break;
      case 41:
      case 93:
        if (brackets > 0) brackets--;
        break;
      case 123: // {
        if (++blocks > NESTING_MAX) return i;
        break;
      case 125:
        if (blocks > 0) blocks--;
        break;
    }
  }
  return undefined;
}

/** The pieces of the earlier tree before and behind the one changed place. */
function reusable(previous: Parsed, text: string): readonly TreeFragment[] {
  const old = previous.text;
  const shorter = Math.min(old.length, text.length);
  let from = 0;
  while (from < shorter && old.charCodeAt(from) === text.charCodeAt(from)) from++;
  let same = 0;
  while (
    same < shorter - from &&
    old.charCodeAt(old.length - 1 - same) === text.charCodeAt(text.length - 1 - same)
  )
    same++;
  return TreeFragment.applyChanges(TreeFragment.addTree(previous.syntax), [
    { fromA: from, toA: old.length - same, fromB: from, toB: text.length - same },
  ]);
}

/** What a line is reported for when several things are found on it: the first of these, the leftmost of its kind. */
const RESERVED = 0; // a word of the language where a name should be
const KNOWN = 1; // a missing part, a wrong number: something with a reason of its own
const BARE = 2; // the library's "something is wrong here"

type Converted = Pick<Parsed, 'file' | 'problems' | 'paired' | 'reusable'>;

interface Finding extends Problem {
  readonly rank: typeof RESERVED | typeof KNOWN | typeof BARE;
  /** Braces that do not pair: only the first such finding of a file is reported. */
  readonly structural: boolean;
}

function convert(text: string, lines: readonly number[], tree: Tree): Converted {
  const c: TreeCursor = tree.cursor();
  const findings: Finding[] = [];
  const comments: Span[] = [];
  const blocks: OpenBlock[] = [];
  let depth = 0;
  let paired = true;
  let cut = false;
  let strayLine = -1;

  return file();

  function file(): Converted {
    const shared: Statement[] = [];
    const scenarios: { heading: Span; title: Name | undefined; body: Statement[] }[] = [];
    for (let more = enter(); more; more = next()) {
      if (at() === 'Scenario') scenarios.push({ ...heading(), body: [] });
      else statement(scenarios.at(-1)?.body ?? shared);
    }
    const ends = scenarios.map((_, i) => scenarios[i + 1]?.heading.from ?? text.length);
    const unclosed = findUnclosed(blocks, text, lines);
    if (unclosed !== undefined)
      structural(unclosed, 'this block is never closed: add the `}` that belongs to it');
    return {
      file: {
        kind: 'file',
        from: 0,
        to: text.length,
        shared,
        scenarios: scenarios.map(
          (s, i): Scenario => ({
            kind: 'scenario',
            from: s.heading.from,
            to: ends[i] ?? text.length,
            ...s,
          }),
        ),
        comments,
      },
      problems: onePerLine(findings, lines, text),
      paired,
      reusable: paired && !cut,
    };
  }

  // Findings.

  function problem({ from, to }: Span, message: string, fix?: Fix): void {
    findings.push({ from, to, message, fix, rank: KNOWN, structural: false });
  }

  function structural({ from, to }: Span, message: string, fix?: Fix): void {
    paired = false;
    findings.push({ from, to, message, fix, rank: KNOWN, structural: true });
  }

  function missing(span: Span, what: string, form: FormName, fix?: Fix): void {
    problem(span, `${what}: \`${forms[form]}\``, fix);
  }

  function noBlock(span: Span, what: string, form: FormName): void {
    structural(span, `${what}: \`${forms[form]}\``);
  }

  /** The name of the node under the cursor. (A call: what a test says of it ends where the cursor moves.) */
  function at(): string {
    return c.name;
  }

  // for (let more = enter(); more; more = next()) visits the children of the node under the cursor and comes back to
  // it; comments and errors are noted on the way. Such a loop is never left early.

  function enter(): boolean {
    return c.firstChild() && settle();
  }

  function next(): boolean {
    if (c.nextSibling()) return settle();
    c.parent();
    return false;
  }

  function settle(): boolean {
    while (c.type.isError || at() === 'Comment') {
      if (c.type.isError) stray();
      else comments.push({ from: c.from, to: c.to });
      if (c.nextSibling()) continue;
      c.parent();
      return false;
    }
    return true;
  }

  /** Only notes what is among the children. */
  function skip(): void {
    for (let more = enter(); more; more = next());
  }

  function stray(): void {
    const parent = c.node.parent?.name ?? 'File';
    const found = tokenAt(text, c.from);
    if (found.text === '}' && parent === 'File')
      structural(found, 'this `}` closes no block', removed(found, 'the `}`'));
    else strayWord(found, reserved.has(found.text) && parent !== 'File' ? RESERVED : BARE);
    skip();
  }

  function strayWord(found: Name, rank: Finding['rank']): void {
    const line = lineAt(lines, found.from);
    if (rank === BARE && line === strayLine) return;
    strayLine = line;
    const start = lines[line] ?? 0;
    const begin = text.slice(start, Math.min(start + 200, lines[line + 1] ?? text.length));
    const first = /\w+/.exec(begin);
    const word = first?.[0] ?? '';
    const guess = word.length < 3 || reserved.has(word) ? undefined : nearest(word, statementWords);
    if (guess !== undefined && first !== null) {
      const from = start + first.index;
      const message = `no statement begins with \`${word}\`; did you mean \`${guess}\`?`;
      const to = from + word.length;
      const fix = replaced({ from, to }, guess);
      findings.push({ from, to, message, fix, rank: RESERVED, structural: false });
    } else {
      const { from, to } = found;
      const message = explain(found.text, begin.trim());
      const fix = mended(found, begin.trim());
      findings.push({ from, to, message, fix, rank, structural: false });
    }
  }

  function here(): Span {
    return { from: c.from, to: c.to };
  }

  function named(): Name {
    const { from, to } = c;
    const word = text.slice(from, to);
    if (!/[^\w.-]/.test(word)) return { from, to, text: word };
    // Recovery may have put what it skipped into the node, behind its word.
    skip();
    const own = /^[\w.-]*/.exec(word)?.[0] ?? '';
    return { from, to: from + own.length, text: own };
  }

  /** The first line of the node under the cursor, up to its brace: where problems of a whole statement are shown. */
  function head(): Span {
    const end = /[{\n\r]|\/\//.exec(text.slice(c.from, Math.min(c.to, c.from + 200)));
    const to = end === null ? c.to : c.from + end.index;
    const width = text.slice(c.from, to).trimEnd().length;
    return { from: c.from, to: Math.max(c.from + width, Math.min(c.from + 1, c.to)) };
  }

  // Statements.

  function heading(): { heading: Span; title: Name | undefined } {
    const span = here();
    let title: Name | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'String') title = quoted();
    }
    if (title === undefined) {
      const fix = inserted(span.from + 'scenario'.length, ' "what it shows"');
      missing(span, 'say in quotes what the scenario shows', 'scenario', fix);
    }
    return { heading: span, title };
  }

  function quoted(): Name {
    const raw = text.slice(c.from, c.to);
    const closed = raw.length > 1 && raw.endsWith('"');
    if (!closed) problem(here(), 'close the text with `"` on the same line', inserted(c.to, '"'));
    return { from: c.from, to: c.to, text: raw.slice(1, closed ? -1 : undefined) };
  }

  function statement(into: Statement[]): void {
    if (++depth > DEPTH_MAX) tooDeep();
    else {
      const made = convertStatement();
      if (made !== undefined) into.push(made);
    }
    depth--;
  }

  function tooDeep(): void {
    cut = true;
    problem({ from: c.from, to: Math.min(c.to, c.from + 1) }, 'nested too deeply to be read');
  }

  function convertStatement(): Statement | undefined {
    switch (at()) {
      case 'Machine':
      case 'Explore':
        return configuration(at() === 'Machine' ? 'machine' : 'explore');
      case 'Import':
        return importing();
      case 'Const':
        return binding('const');
      case 'Procedure':
        return procedure();
      case 'Outcomes':
        return outcomes();
      case 'Schedule':
        return schedule();
      case 'Surface':
        return surface();
      case 'Process':
      case 'Thread':
        return home(at() === 'Process' ? 'process' : 'thread');
      case 'Let':
        return binding('let');
      case 'Repeat':
        return repeat();
      case 'If':
        return conditional();
      case 'Assert':
        return { kind: 'assert', ...here(), condition: claim('assert') };
      case 'Always':
      case 'Never':
      case 'Finally': {
        const when = at().toLowerCase() as 'always' | 'never' | 'finally';
        return { kind: 'property', ...here(), when, condition: claim(when) };
      }
      case 'Operation':
        return operation();
      case 'Scenario':
        structural(here(), 'a scenario cannot begin inside of a block; is a `}` missing above?');
        return undefined;
      default:
        return undefined;
    }
  }

  function configuration(kind: 'machine' | 'explore'): Statement {
    const span = here();
    const front = head();
    const settings: Setting[] = [];
    let braces = false;
    for (let more = enter(); more; more = next()) {
      if (at() !== 'Settings') continue;
      braces = true;
      let closed = false;
      const open = c.from;
      for (let more = enter(); more; more = next()) {
        if (at() === '}') closed = true;
        else if (at() === 'Setting') settings.push(setting());
      }
      blocks.push({ from: span.from, open, to: c.to, closed, inner: [] });
    }
    if (!braces && kind === 'machine') missing(front, 'say in braces what machine', kind);
    return { kind, from: span.from, to: span.to, settings };
  }

  function setting(): Setting {
    const span = here();
    const words: Name[] = [];
    for (let more = enter(); more; more = next()) {
      if (at() === 'Word' || at() === 'Number') words.push(named());
      else if (at() === 'String') words.push(quoted());
    }
    const [key = { from: span.from, to: span.to, text: '' }, ...values] = words;
    return { from: span.from, to: span.to, key, values };
  }

  function schedule(): Statement {
    const span = here();
    let said: Name | undefined;
    let body: Block | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'String') said = quoted();
      else if (at() === 'Block') body = block(span.from);
    }
    if (said === undefined && body === undefined)
      missing(span, 'say in quotes which schedule', 'schedule');
    return { kind: 'schedule', from: span.from, to: span.to, text: said, body };
  }

  function surface(): Statement {
    const span = here();
    let name: Name | undefined;
    const attributes: Expression[] = [];
    for (let more = enter(); more; more = next()) {
      if (at() === 'Definition') name = named();
      else if (at() === 'Attribute')
        for (let more = enter(); more; more = next()) {
          const made = at() === 'Name' ? reference() : expression();
          if (made !== undefined) attributes.push(made);
        }
    }
    if (name === undefined) missing(span, 'name the surface', 'surface');
    else if (attributes.length === 0)
      missing(span, 'say behind `:` what the surface is', 'surface');
    return { kind: 'surface', from: span.from, to: span.to, name, attributes };
  }

  function home(kind: 'process' | 'thread'): Statement {
    const span = here();
    const front = head();
    let name: Name | undefined;
    let parent: Name | undefined;
    let cpu: Name | undefined;
    let body: Block | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Definition') name = named();
      else if (at() === 'Forks') parent = afterWord();
      else if (at() === 'Cpu') cpu = afterWord();
      else if (at() === 'Block') body = block(span.from);
    }
    if (name === undefined) missing(front, `name the ${kind}`, kind);
    else if (kind === 'thread' && cpu === undefined)
      missing(front, 'say which CPU the thread runs on', kind, inserted(name.to, ' on cpu0'));
    else if (body === undefined) noBlock(front, `say in braces what the ${kind} does`, kind);
    const made = { from: span.from, to: span.to, name, cpu, body };
    return kind === 'process' ? { kind, ...made, parent } : { kind, ...made };
  }

  function afterWord(): Name | undefined {
    let found: Name | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Definition') found = named();
    }
    return found;
  }

  function importing(): Statement {
    const span = here();
    let named: Name | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'String') named = quoted();
    }
    if (named === undefined) missing(span, 'say in quotes which file', 'import');
    return { kind: 'import', from: span.from, to: span.to, file: named };
  }

  function procedure(): Statement {
    const span = here();
    const front = head();
    let name: Name | undefined;
    let parameters: Name[] | undefined;
    let body: Block | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Definition') name = named();
      else if (at() === 'Parameters') parameters = names();
      else if (at() === 'Block') body = block(span.from);
    }
    if (name === undefined) missing(front, 'name the procedure', 'procedure');
    else if (parameters === undefined)
      missing(front, 'name in parentheses what it is given', 'procedure');
    else if (body === undefined)
      noBlock(front, 'say in braces what the procedure does', 'procedure');
    parameters ??= [];
    return { kind: 'procedure', from: span.from, to: span.to, name, parameters, body };
  }

  function names(): Name[] {
    const found: Name[] = [];
    closedBy(')', here(), () => {
      if (at() === 'Definition') found.push(named());
    });
    return found;
  }

  function outcomes(): Statement {
    const span = here();
    const front = head();
    let observed: Expression[] | undefined;
    let body: Block | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Tuple') observed = tuple();
      else if (at() === 'Block') body = block(span.from);
    }
    if (observed === undefined)
      missing(front, 'say in parentheses what is looked at in the end', 'outcomes');
    else if (body === undefined) noBlock(front, 'say in braces what may come out', 'outcomes');
    return { kind: 'outcomes', from: span.from, to: span.to, observed, body };
  }

  function tuple(): Expression[] {
    const found: Expression[] = [];
    closedBy(')', here(), () => {
      const made = expression();
      if (made !== undefined) found.push(made);
    });
    return found;
  }

  function binding(kind: 'let' | 'const'): Statement {
    const span = here();
    let name: Name | undefined;
    let value: Expression | Operation | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Definition') name = named();
      else if (at() === 'Operation') value = operation();
      else value = expression() ?? value;
    }
    if (name === undefined) missing(span, 'name the value', kind);
    else if (value === undefined) missing(span, `say what \`${name.text}\` is`, kind);
    if (kind === 'let') return { kind, from: span.from, to: span.to, name, value };
    if (value?.kind === 'operation') value = undefined; // the grammar has none there
    return { kind, from: span.from, to: span.to, name, value };
  }

  function repeat(): Statement {
    const span = here();
    const front = head();
    let count: Expression | undefined;
    let counter: Name | undefined;
    let body: Block | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Definition') counter = named();
      else if (at() === 'Block') body = block(span.from);
      else count = expression() ?? count;
    }
    if (count === undefined) missing(front, 'say how often', 'repeat');
    else if (body === undefined) noBlock(front, 'say in braces what is repeated', 'repeat');
    return { kind: 'repeat', from: span.from, to: span.to, count, counter, body };
  }

  function conditional(): If {
    const span = here();
    const front = head();
    let condition: Expression | undefined;
    let then: Block | undefined;
    let otherwise: Block | If | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Block') then = block(span.from);
      else if (at() === 'Else') otherwise = alternative(span.from);
      else condition = expression() ?? condition;
    }
    if (text.startsWith('else', span.from))
      problem({ from: span.from, to: span.from + 4 }, advice['else'] ?? '');
    else if (condition === undefined) missing(front, 'say on which condition', 'if');
    else if (then === undefined) noBlock(front, 'say in braces what is done then', 'if');
    return { kind: 'if', from: span.from, to: span.to, condition, then, otherwise };
  }

  function alternative(owner: number): Block | If | undefined {
    const front = head();
    let made: Block | If | undefined;
    if (++depth <= DEPTH_MAX)
      for (let more = enter(); more; more = next()) {
        if (at() === 'Block') made = block(owner);
        else if (at() === 'If') made = conditional();
      }
    else tooDeep();
    depth--;
    if (made === undefined) missing(front, 'say in braces what is done otherwise', 'if');
    return made;
  }

  /** The condition of an assertion or property. */
  function claim(form: FormName): Expression | undefined {
    const span = here();
    let condition: Expression | undefined;
    for (let more = enter(); more; more = next()) {
      condition = expression() ?? condition;
    }
    if (condition === undefined) missing(span, 'say what must hold', form);
    return condition;
  }

  function operation(): Operation {
    const span = here();
    let verb: Name = { from: span.from, to: span.to, text: '' };
    let parameters: Expression[] | undefined;
    let target: Path | undefined;
    let value: Expression | undefined;
    let result: Path | undefined;
    let failure: Path | undefined;
    let body: Block | undefined;
    const clauses: Clause[] = [];
    const words: Name[] = [];
    for (let more = enter(); more; more = next()) {
      switch (at()) {
        case 'Verb':
          verb = named();
          break;
        case 'Value': {
          const sign = here();
          const made = inside();
          if (made === undefined)
            problem({ from: sign.from, to: sign.from + 1 }, '`=` needs a value on its right');
          const last = clauses.pop();
          if (last !== undefined && last.target !== undefined)
            clauses.push({ ...last, to: sign.to, value: made });
          else value = made;
          break;
        }
        case 'Clause':
          clauses.push(clause());
          break;
        case 'Argument':
          words.push(argument());
          break;
        case 'Tuple':
          parameters = tuple();
          break;
        case 'Result':
          result = asPath(inside());
          break;
        case 'Failure':
          failure = asPath(inside());
          break;
        case 'Block':
          body = block(span.from);
          break;
        default:
          target = asPath(expression());
      }
    }
    return {
      kind: 'operation',
      from: span.from,
      to: span.to,
      verb,
      parameters,
      target,
      value,
      clauses,
      words,
      result,
      failure,
      body,
    };
  }

  /** A word, a number, or a text without its quotes. */
  function argument(): Name {
    return text[c.from] === '"' ? quoted() : named();
  }

  function clause(): Clause {
    const span = here();
    let word: Name | undefined;
    let target: Path | undefined;
    let value: Expression | undefined;
    for (let more = enter(); more; more = next()) {
      if (word === undefined) word = named();
      else if (word.text === 'at') value = expression();
      else target = asPath(expression());
    }
    return {
      from: span.from,
      to: span.to,
      word: word ?? { from: span.from, to: span.to, text: '' },
      target,
      value,
    };
  }

  function block(owner: number): Block {
    const span = here();
    const statements: Statement[] = [];
    const inner: number[] = [];
    let closed = false;
    const entry = { from: owner, open: span.from, to: span.to, closed: false, inner };
    blocks.push(entry);
    for (let more = enter(); more; more = next()) {
      if (at() === '}') closed = true;
      else if (at() !== '{') {
        inner.push(c.from);
        statement(statements);
      }
    }
    entry.closed = closed;
    return { from: span.from, to: span.to, statements, closed };
  }

  // Expressions.

  /** The one expression among the children. */
  function inside(): Expression | undefined {
    let made: Expression | undefined;
    for (let more = enter(); more; more = next()) {
      made = expression() ?? made;
    }
    return made;
  }

  function reference(): Expression | undefined {
    const { from, to, text: name } = named();
    if (name !== '') return { kind: 'reference', from, to, name };
    skip();
    return undefined;
  }

  function expression(): Expression | undefined {
    if (++depth > DEPTH_MAX) {
      tooDeep();
      depth--;
      return undefined;
    }
    const made = convertExpression();
    depth--;
    return made;
  }

  function convertExpression(): Expression | undefined {
    const span = here();
    switch (at()) {
      case 'Number': {
        const { value, unit, problem: wrong, meant } = readNumber(text.slice(c.from, c.to));
        const fix = meant === undefined ? undefined : replaced(span, meant);
        if (wrong !== undefined) problem(span, wrong, fix);
        return { kind: 'number', from: span.from, to: span.to, value, unit };
      }
      case 'String':
        return { kind: 'text', from: span.from, to: span.to, text: quoted().text };
      case 'Boolean':
        return {
          kind: 'boolean',
          from: span.from,
          to: span.to,
          value: text.startsWith('true', c.from),
        };
      case 'Reference':
        return reference();
      case 'Member': {
        let object: Path | undefined;
        let member: Name | undefined;
        for (let more = enter(); more; more = next()) {
          if (at() === 'MemberName') member = named();
          else if (at() !== '.') object = asPath(expression());
        }
        if (member === undefined)
          problem({ from: span.to - 1, to: span.to }, 'say behind the dot what to look at');
        return object && { kind: 'member', from: span.from, to: span.to, object, member };
      }
      case 'Index':
        return index(span);
      case 'Call': {
        let callee: Path | undefined;
        const parameters: Expression[] = [];
        closedBy(')', span, () => {
          const made = expression();
          if (callee === undefined) callee = asPath(made);
          else if (made !== undefined) parameters.push(made);
        });
        return callee && { kind: 'call', from: span.from, to: span.to, callee, parameters };
      }
      case 'Parenthesized': {
        let inner: Expression | undefined;
        closedBy(')', span, () => {
          inner = expression() ?? inner;
        });
        if (inner === undefined) problem(span, 'these parentheses hold nothing');
        return { kind: 'parenthesized', from: span.from, to: span.to, inner };
      }
      case 'PageCount': {
        let count: Expression | undefined;
        for (let more = enter(); more; more = next()) {
          count = expression() ?? count;
        }
        return { kind: 'pages', from: span.from, to: span.to, count };
      }
      case 'Unary': {
        let operator: '-' | 'not' = '-';
        let operand: Expression | undefined;
        for (let more = enter(); more; more = next()) {
          if (at() === 'not') operator = 'not';
          else operand = expression() ?? operand;
        }
        if (operand === undefined) problem(span, `\`${operator}\` needs a value on its right`);
        return { kind: 'unary', from: span.from, to: span.to, operator, operand };
      }
      case 'Binary':
        return binary(span);
      default:
        return undefined;
    }
  }

  function index(span: Span): Index | undefined {
    let object: Path | undefined;
    let range = false;
    let start: Expression | undefined;
    let end: Expression | undefined;
    let first = true;
    closedBy(']', span, () => {
      if (at() === '[') return;
      if (first) {
        first = false;
        object = asPath(expression());
      } else if (at() === 'Range') {
        range = true;
        let dots = false;
        for (let more = enter(); more; more = next()) {
          if (at() === '..') dots = true;
          else if (dots) end = expression();
          else start = expression();
        }
      } else start = expression();
    });
    if (/\[\s*\]$/.test(text.slice(Math.max(span.from, span.to - 20), span.to)))
      problem(span, 'say between the brackets which one, or which range: `[0 .. 4KiB]`');
    return object && { kind: 'index', from: span.from, to: span.to, object, range, start, end };
  }

  function binary(span: Span): Binary {
    let operator: BinaryOperator | undefined;
    let sign: Span = span;
    let left: Expression | undefined;
    let right: Expression | undefined;
    for (let more = enter(); more; more = next()) {
      if (at() === 'Operator') {
        operator = operatorIn(text.slice(c.from, c.to)) ?? '==';
        sign = here();
        skip();
      } else if (operator === undefined) left = expression();
      else right = expression();
    }
    operator ??= '==';
    if (right === undefined) problem(sign, `\`${operator}\` needs a value on its right`);
    return { kind: 'binary', from: span.from, to: span.to, operator, left, right };
  }

  /** Visits the children and reports when the closing bracket is not among them. */
  function closedBy(bracket: ')' | ']', span: Span, visit: () => void): void {
    let closed = false;
    let open = span.from;
    for (let more = enter(); more; more = next()) {
      if (at() === bracket) closed = true;
      else if (at() === '(' || at() === '[') open = c.from;
      else visit();
    }
    if (!closed) {
      const width = text.slice(span.from, span.to).trimEnd().length;
      const fix = inserted(span.from + width, bracket);
      problem({ from: open, to: open + 1 }, `close the bracket with \`${bracket}\``, fix);
    }
  }
}

/** Recovery may have put an operator where the text has none. */
function operatorIn(sign: string): BinaryOperator | undefined {
  return binaryOperators.find((operator) => operator === sign);
}

function asPath(expression: Expression | undefined): Path | undefined {
  switch (expression?.kind) {
    case 'reference':
    case 'member':
    case 'index':
    case 'call':
      return expression;
    default:
      return undefined;
  }
}

interface OpenBlock extends Span {
  /** Where the brace is; `from` is where its statement begins. */
  readonly open: number;
  readonly closed: boolean;
  /** Where its statements begin. */
  readonly inner: readonly number[];
}

/**
 * The block whose closing brace is missing. Braces close the innermost block, so the one that stays open is
 * rarely the one at fault: indentation tells.
 */
function findUnclosed(
  blocks: readonly OpenBlock[],
  text: string,
  lines: readonly number[],
): Span | undefined {
  const open = blocks.filter((block) => !block.closed);
  if (open.length === 0) return undefined;
  const margin = (offset: number): number => {
    const start = lines[lineAt(lines, offset)] ?? 0;
    return text.slice(start, offset).trim() === '' ? offset - start : -1;
  };
  const suspicious = blocks.filter((block) => {
    const own = margin(block.from);
    if (own < 0) return false;
    if (block.inner.some((from) => margin(from) >= 0 && margin(from) <= own)) return true;
    return block.closed && margin(block.to - 1) >= 0 && margin(block.to - 1) < own;
  });
  const found = suspicious.at(-1) ?? open[0];
  return found && { from: found.open, to: found.open + 1 };
}

/** The token that begins at `offset` or behind the blanks there; empty at the end of a line. */
function tokenAt(text: string, offset: number): Name {
  let from = offset;
  while (text[from] === ' ' || text[from] === '\t') from++;
  const rest = text.slice(from, from + 80);
  const found = /^(?:\w+|&&|\|\||[=!<>+\-*/%]=|\+\+|--|:=|\.\.|\/[/*]|[^\s])/u.exec(rest);
  const shown = found?.[0] ?? '';
  return { from, to: from + shown.length, text: shown };
}

/** What to put in the place of signs of other languages. */
const replacements: Readonly<Record<string, string>> = {
  '&&': 'and',
  '&': 'and',
  '||': 'or',
  '|': 'or',
  '!': 'not ',
  '#': '//',
  '/*': '//',
  ':=': '=',
};

const advice: Readonly<Record<string, string>> = {
  '&&': 'write `and` instead of `&&`',
  '&': 'write `and` instead of `&`',
  '||': 'write `or` instead of `||`',
  '|': 'write `or` instead of `|`',
  '!': 'write `not` instead of `!`',
  ';': 'no `;` is needed: a statement ends with its line',
  '#': 'a comment starts with `//`',
  '/*': 'a comment starts with `//` and ends with its line',
  "'": 'a text stands between double quotes: `"…"`',
  ':=': 'a value is named with `=`: `let offset = 2 pages`',
  '{': 'this `{` has no place here',
  '}': 'something is missing before this `}`',
  else: 'put `else` on the line of the closing brace: `} else { … }`',
};

/** Why a token of `line` is not understood and what to do about it. */
function explain(token: string, line: string): string {
  const first = /^\w*/.exec(line)?.[0] ?? '';
  const known = advice[token];
  if (known !== undefined) return known;
  if (token === '' || token === '//')
    return `something is missing at the end of this line${formOf(first)}`;
  if (token === '=' && isClaim(first)) return 'compare with `==`';
  if (first === 'surface' && !line.includes(':'))
    return `put \`:\` before what the surface is: \`${forms.surface}\``;
  if (token === '[' && line.startsWith(`${first}[`))
    return `say what is done: \`write ${first}[…] = …\` or \`read ${first}[…]\``;
  if (reserved.has(token))
    return statementWords.includes(token as FormName)
      ? `\`${token}\` begins a statement of its own: put it on a line of its own, or choose another name`
      : `\`${token}\` has no place here and cannot be a name${formOf(first)}`;
  if (!/^[\x20-\x7e]*$/.test(token))
    return `\`${token}\` has no place outside of comments and texts`;
  return `\`${token}\` is not expected here${formOf(first)}`;
}

/** What makes a token of `line` understood, where that is one change. */
function mended(token: Name, line: string): Fix | undefined {
  const first = /^\w*/.exec(line)?.[0] ?? '';
  if (token.text === ';') return removed(token, '`;`');
  const instead = replacements[token.text];
  if (instead !== undefined) return replaced(token, instead);
  if (token.text === '=' && isClaim(first)) return replaced(token, '==');
  if (first === 'surface' && !line.includes(':')) return inserted(token.from, ': ');
  return undefined;
}

function isClaim(word: string): boolean {
  return ['assert', 'always', 'never', 'finally', 'if', 'else'].includes(word);
}

function formOf(word: string): string {
  const form = forms[word as FormName] as string | undefined;
  return form === undefined ? '' : `; it is written \`${form}\``;
}

/** One finding of each line: the one of the lowest rank, of these the leftmost. */
function onePerLine(
  findings: readonly Finding[],
  lines: readonly number[],
  text: string,
): readonly Problem[] {
  const best = new Map<number, Finding>();
  const sorted = [...findings].sort((a, b) => a.from - b.from);
  const first = sorted.find((finding) => finding.structural);
  const end = text.trimEnd().length;
  for (const [i, finding] of sorted.entries()) {
    if (finding.structural && finding !== first) continue;
    // Where a block is open at the end of the text, the end is no mistake of its own.
    if (first !== undefined && finding.rank === BARE && finding.from >= end) continue;
    // An empty error followed by one with text is the same mistake, seen twice.
    const next = sorted[i + 1];
    if (finding.rank === BARE && finding.from === finding.to && next?.rank === BARE)
      if (text.slice(finding.to, next.from).trim() === '') continue;
    const line = lineAt(lines, finding.from);
    const known = best.get(line);
    if (known === undefined || finding.rank < known.rank) best.set(line, finding);
  }
  return [...best.values()]
    .sort((a, b) => a.from - b.from)
    .map(({ from, to, message, fix }) => ({ from, to, message, fix }));
}
