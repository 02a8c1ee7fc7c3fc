// A tree as text: a line for each statement, expressions in prefix form, `_` for what is missing.
import { positionAt } from '../../src/base/text';
import type { Parsed } from '../../src/syntax/parser';
import type { Block, Expression, If, Operation, Statement } from '../../src/syntax/tree';

export function showParsed({ file, problems, lines }: Parsed): string {
  const shown = [
    ...showAll(file.shared, ''),
    ...file.scenarios.flatMap((scenario) => [
      `scenario ${scenario.title === undefined ? '_' : `"${scenario.title.text}"`}`,
      ...showAll(scenario.body, '  '),
    ]),
    ...problems.map(({ from, message }) => {
      const { line, column } = positionAt(lines, from);
      return `! ${line + 1}:${column + 1} ${message}`;
    }),
  ];
  return shown.join('\n');
}

function showAll(statements: readonly Statement[], margin: string): string[] {
  return statements.flatMap((statement) => showStatement(statement, margin));
}

function block(body: Block | undefined, margin: string): string[] {
  return body === undefined ? [`${margin}  _`] : showAll(body.statements, `${margin}  `);
}

function showStatement(statement: Statement, margin: string): string[] {
  const line = (...words: (string | undefined)[]): string =>
    margin + words.filter((word) => word !== undefined).join(' ');
  switch (statement.kind) {
    case 'machine':
    case 'explore':
      return [
        line(statement.kind),
        ...statement.settings.map(
          ({ key, values }) => `${margin}  ${[key, ...values].map(({ text }) => text).join(' ')}`,
        ),
      ];
    case 'import':
      return [line('import', statement.file === undefined ? '_' : `"${statement.file.text}"`)];
    case 'const':
      return [line('const', statement.name?.text ?? '_', '=', show(statement.value))];
    case 'procedure': {
      const names = statement.parameters.map(({ text }) => text).join(' ');
      return [
        line('procedure', statement.name?.text ?? '_', `(${names})`),
        ...block(statement.body, margin),
      ];
    }
    case 'outcomes':
      return [
        line('outcomes', `(${(statement.observed ?? []).map(show).join(' ')})`),
        ...block(statement.body, margin),
      ];
    case 'schedule':
      return [
        line('schedule', statement.text && `"${statement.text.text}"`),
        ...(statement.body === undefined ? [] : block(statement.body, margin)),
      ];
    case 'surface':
      return [line('surface', statement.name?.text ?? '_', ...statement.attributes.map(show))];
    case 'process':
    case 'thread':
      return [
        line(
          statement.kind,
          statement.name?.text ?? '_',
          statement.kind === 'process' && statement.parent !== undefined
            ? `forks ${statement.parent.text}`
            : undefined,
          statement.cpu && `on ${statement.cpu.text}`,
        ),
        ...block(statement.body, margin),
      ];
    case 'let':
      if (statement.value?.kind === 'operation')
        return [
          line('let', statement.name?.text ?? '_', '=', ...operation(statement.value)),
          ...(statement.value.body === undefined ? [] : block(statement.value.body, margin)),
        ];
      return [line('let', statement.name?.text ?? '_', '=', show(statement.value))];
    case 'repeat':
      return [
        line('repeat', show(statement.count), statement.counter && `as ${statement.counter.text}`),
        ...block(statement.body, margin),
      ];
    case 'if':
      return conditional(statement, margin);
    case 'assert':
      return [line('assert', show(statement.condition))];
    case 'property':
      return [line(statement.when, show(statement.condition))];
    case 'operation':
      return [
        line(...operation(statement)),
        ...(statement.body === undefined ? [] : block(statement.body, margin)),
      ];
  }
}

function conditional({ condition, then, otherwise }: If, margin: string): string[] {
  const first = [`${margin}if ${show(condition)}`, ...block(then, margin)];
  if (otherwise === undefined) return first;
  const second =
    'kind' in otherwise ? conditional(otherwise, `${margin}  `) : block(otherwise, margin);
  return [...first, `${margin}else`, ...second];
}

function operation(node: Operation): string[] {
  const { verb, parameters, target, value, clauses, words, result, failure } = node;
  return [
    verb.text,
    ...(parameters === undefined ? [] : [`(${parameters.map(show).join(' ')})`]),
    ...(target === undefined ? [] : [show(target)]),
    ...(value === undefined ? [] : [`= ${show(value)}`]),
    ...clauses.map(
      (clause) =>
        `(${clause.word.text} ${show(clause.target)}${clause.value === undefined ? '' : ` = ${show(clause.value)}`})`,
    ),
    ...words.map(({ text }) => text),
    ...(result === undefined ? [] : [`as ${show(result)}`]),
    ...(failure === undefined ? [] : [`else ${show(failure)}`]),
  ];
}

function show(expression: Expression | undefined): string {
  switch (expression?.kind) {
    case undefined:
      return '_';
    case 'number':
      return `${expression.value}${expression.unit === undefined ? '' : 'B'}`;
    case 'text':
      return `"${expression.text}"`;
    case 'boolean':
      return String(expression.value);
    case 'reference':
      return expression.name;
    case 'member':
      return `${show(expression.object)}.${expression.member?.text ?? '_'}`;
    case 'index': {
      const { object, range, start, end } = expression;
      const bounds = range
        ? `${start === undefined ? '' : show(start)}..${end === undefined ? '' : show(end)}`
        : show(start);
      return `${show(object)}[${bounds}]`;
    }
    case 'call':
      return `${show(expression.callee)}(${expression.parameters.map(show).join(', ')})`;
    case 'pages':
      return `(pages ${show(expression.count)})`;
    case 'unary':
      return `(${expression.operator} ${show(expression.operand)})`;
    case 'binary':
      return `(${expression.operator} ${show(expression.left)} ${show(expression.right)})`;
    case 'parenthesized':
      return show(expression.inner);
  }
}
