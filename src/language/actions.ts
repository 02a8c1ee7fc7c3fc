// What can be done about the text at a place: the fixes that messages bring along, things to declare that are missing,
// and changes of form that keep the meaning.
import type { Fix } from '../base/fixes';
import { type Edit, lineAt, type Span } from '../base/text';
import type { Checked, Diagnostic } from '../scenario/diagnostics';
import type { Scope } from '../scenario/names';
import type { Operation, Path, Scenario, Statement, Surface } from '../syntax/tree';
import { blocksOf } from './outline';
import { scopeAt } from './place';

export interface Action {
  readonly title: string;
  readonly kind: 'quickfix' | 'refactor.extract';
  readonly edits: readonly Edit[];
  /** The message that it makes go. */
  readonly diagnostic: Diagnostic | undefined;
}

/** The actions for what a span touches, fixes first; then what the last run of this text came to. */
export function actions(
  checked: Checked,
  span: Span,
  expectations: readonly Fix[] = [],
): readonly Action[] {
  const touched = checked.diagnostics.filter(({ from, to }) => from <= span.to && span.from <= to);
  return [
    ...touched.flatMap((diagnostic) => [
      ...(diagnostic.fix === undefined ? [] : [quick(diagnostic, diagnostic.fix)]),
      ...declarations(checked, diagnostic).map((fix) => quick(diagnostic, fix)),
    ]),
    ...expectations
      .filter(({ edits }) => edits.every((edit) => concerns(checked, edit, span)))
      .map((fix): Action => ({ ...fix, kind: 'quickfix', diagnostic: undefined })),
    ...extractSurface(checked, span),
    ...extractValue(checked, span),
  ];
}

/** Whether a change stands on the lines of the span, or in the scenario whose first line it touches. */
function concerns(checked: Checked, edit: Edit, span: Span): boolean {
  const { lines } = checked.parsed;
  const line = lineAt(lines, edit.from);
  if (lineAt(lines, span.from) <= line && line <= lineAt(lines, span.to)) return true;
  const heading = scenarioAt(checked, edit.from)?.heading;
  return heading !== undefined && heading.from <= span.to && span.from <= heading.to;
}

type Change = Pick<Action, 'title' | 'edits'>;

function quick(diagnostic: Diagnostic, { title, edits }: Change): Action {
  return { title, kind: 'quickfix', edits, diagnostic };
}

// What is missing.

/** A message about what a statement works on: the surface that is not there, the mapping that was not made. */
function declarations(checked: Checked, diagnostic: Diagnostic): readonly Change[] {
  const scenario = scenarioAt(checked, diagnostic.from);
  const operation = operationAt(checked, diagnostic.from);
  if (scenario === undefined || operation === undefined) return [];
  const scope = scopeAt(checked, diagnostic.from);
  const targets = [operation.target, ...operation.clauses.map(({ target }) => target)];
  const target = targets.find(
    (one) => one !== undefined && one.from <= diagnostic.from && diagnostic.to <= one.to,
  );
  const name = target && baseOf(target);
  if (scope === undefined || name === undefined) return [];
  const entity = scope.find(name.name);
  if (entity === undefined) return declareSurface(checked, operation, scenario, name.name, scope);
  if (entity.kind !== 'surface' || !/needs a mapping/.test(diagnostic.message)) return [];
  return mapFirst(checked, operation, name, scope);
}

/** `map ring` and what the GPU works on name surfaces. */
function declareSurface(
  { parsed: { file } }: Checked,
  operation: Operation,
  scenario: Scenario,
  name: string,
  scope: Scope,
): readonly Change[] {
  const another = scope.entities().find(({ kind }) => kind === 'surface');
  const asked = operation.verb.text === 'map' || isCommand(file.shared, scenario, operation);
  const before = scenario.body.find(({ kind }) => kind === 'process');
  if (!asked || before === undefined) return [];
  const text = `surface ${name}: buffer 96KiB coherent\n${another === undefined ? '\n' : ''}`;
  return [
    {
      title: `Declare the surface \`${name}\``,
      edits: [{ from: before.from, to: before.from, text }],
    },
  ];
}

/** Whether an operation stands in a submission. */
function isCommand(shared: readonly Statement[], scenario: Scenario, wanted: Operation): boolean {
  const around = [...shared, ...scenario.body].flatMap((one) => pathTo(one, wanted.from));
  return around.some((one) => one !== wanted && one.kind === 'operation' && one.body !== undefined);
}

function mapFirst(
  checked: Checked,
  operation: Operation,
  surface: Span & { readonly name: string },
  scope: Scope,
): readonly Change[] {
  const { from, to, name } = surface;
  const mapping = scope
    .entities()
    .find((one) => one.kind === 'variable' && one.variable.mapping?.surface.name === name);
  if (mapping !== undefined && mapping.declared.from < from)
    return [
      {
        title: `Use its mapping \`${mapping.name}\``,
        edits: [{ from, to, text: mapping.name }],
      },
    ];
  const fresh = freeName(scope, 'p');
  const put = `let ${fresh} = map ${name}\n${marginOf(checked, operation.from)}`;
  return [
    {
      title: `Map \`${name}\` first`,
      edits: [
        { from: operation.from, to: operation.from, text: put },
        { from, to, text: fresh },
      ],
    },
  ];
}

// Changes of form.

/** A surface of one scenario becomes one of all scenarios of the file; where they have the same, theirs goes. */
function extractSurface({ parsed }: Checked, span: Span): readonly Action[] {
  const { file, text } = parsed;
  const found = file.scenarios
    .flatMap(({ body }) => body)
    .find(
      (one): one is Surface => one.kind === 'surface' && one.from <= span.from && span.to <= one.to,
    );
  const [first] = file.scenarios;
  if (found?.name === undefined || first === undefined) return [];
  const name = found.name.text;
  const written = (surface: Surface): string => text.slice(surface.from, surface.to).trim();
  const same: Surface[] = [];
  for (const { body } of file.scenarios)
    for (const one of body) {
      if (!('name' in one) || one.name?.text !== name) continue;
      // Something else of that name in another scenario would be in the way.
      if (one.kind !== 'surface' || written(one) !== written(found)) return [];
      same.push(one);
    }
  const edits = same.map((one): Edit => ({ ...lineOf(parsed, one), text: '' }));
  const put = { from: first.from, to: first.from, text: `${written(found)}\n\n` };
  const title = `Extract the surface \`${name}\` for all scenarios of this file`;
  return [{ title, kind: 'refactor.extract', edits: [put, ...edits], diagnostic: undefined }];
}

/** The line of a statement, with its end, where it has one of its own; else the statement. */
function lineOf({ text, lines }: Checked['parsed'], { from, to }: Span): Span {
  const line = lineAt(lines, from);
  const start = lines[line] ?? 0;
  const end = lines[line + 1] ?? text.length;
  const alone = text.slice(start, from).trim() === '' && text.slice(to, end).trim() === '';
  return alone ? { from: start, to: end } : { from, to };
}

/** A selected expression gets a name, on a line before its statement. */
function extractValue(checked: Checked, { from, to }: Span): readonly Action[] {
  const { parsed } = checked;
  const selected = parsed.text.slice(from, to);
  if (selected.trim() === '' || /[\n\r]/.test(selected)) return [];
  const values = ['Binary', 'Parenthesized', 'PageCount', 'Number', 'Unary'];
  let node = parsed.syntax.resolveInner(from, 1);
  while (node.parent !== null && (node.to < to || !values.includes(node.name))) node = node.parent;
  if (node.from !== from || node.to !== to || !values.includes(node.name)) return [];
  const scope = scopeAt(checked, from);
  const statements = [...parsed.file.shared, ...parsed.file.scenarios.flatMap(({ body }) => body)];
  const around = statements.flatMap((one) => pathTo(one, from));
  const inner = around.findLast((one) => one.kind !== 'operation' || !inBlockOf(around, one));
  // Only what a thread does is computed where it stands; what always holds is looked at again and again.
  if (scope === undefined || inner === undefined || around[0]?.kind !== 'process') return [];
  if (['process', 'thread'].includes(inner.kind)) return [];
  const name = freeName(scope, 'value');
  const put = `let ${name} = ${selected}\n${marginOf(checked, inner.from)}`;
  return [
    {
      title: `Extract into \`let ${name}\``,
      kind: 'refactor.extract',
      edits: [
        { from: inner.from, to: inner.from, text: put },
        { from, to, text: name },
      ],
      diagnostic: undefined,
    },
  ];
}

/** Whether a statement stands in the block of another operation, as a command in its submission. */
function inBlockOf(around: readonly Statement[], one: Statement): boolean {
  const outer = around[around.indexOf(one) - 1];
  return outer?.kind === 'operation' || (outer?.kind === 'let' && outer.value !== one);
}

// The tree.

function scenarioAt({ parsed: { file } }: Checked, offset: number): Scenario | undefined {
  return file.scenarios.find(({ from, to }) => from <= offset && offset <= to);
}

/** The innermost operation around an offset. */
function operationAt({ parsed: { file } }: Checked, offset: number): Operation | undefined {
  const all = [...file.shared, ...file.scenarios.flatMap(({ body }) => body)];
  return all
    .flatMap((one) => pathTo(one, offset))
    .findLast((one): one is Operation => one.kind === 'operation');
}

/** The statements around an offset, from the outermost in. */
function pathTo(statement: Statement, offset: number): readonly Statement[] {
  if (offset < statement.from || statement.to < offset) return [];
  const inner = blocksOf(statement).flatMap(({ statements }) =>
    statements.flatMap((one) => pathTo(one, offset)),
  );
  const named = statement.kind === 'let' && statement.value?.kind === 'operation';
  return named ? [statement, statement.value as Operation, ...inner] : [statement, ...inner];
}

function baseOf(path: Path): (Span & { readonly name: string }) | undefined {
  switch (path.kind) {
    case 'reference':
      return path;
    case 'index':
    case 'member':
      return baseOf(path.object);
    default:
      return undefined;
  }
}

/** The blanks that a line begins with. */
function marginOf({ parsed: { text, lines } }: Checked, offset: number): string {
  const start = lines[lineAt(lines, offset)] ?? 0;
  return /^[ \t]*/.exec(text.slice(start, offset))?.[0] ?? '';
}

function freeName(scope: Scope, wanted: string): string {
  let name = wanted;
  for (let n = 2; scope.find(name) !== undefined; n++) name = `${wanted}${n}`;
  return name;
}
