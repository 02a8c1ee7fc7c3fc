// What a run came to, as what is expected from now on: changes of the scenario's text. A `finally` that compares with a
// number gets the number found, an outcome becomes an allowed one, a race or a violation that was forbidden one that happens.
import { type Fix, inserted } from '../base/fixes';
import type { Edit, Span } from '../base/text';
import type { Value } from './meaning';
import { outcomeText, rowOf, statusOf } from './outcomes';
import type { Run } from './run';
import type { OccurrenceName } from './vocabulary';

/** The changes for a run that has ended, of the scenario's own file only. */
export function expectations(run: Run, length: number): readonly Fix[] {
  return [...values(run), ...occurrences(run), ...outcome(run)].filter(({ edits }) =>
    edits.every(({ to }) => to <= length),
  );
}

function expect(what: string, edit: Edit): Fix {
  return { title: `Expect what the run came to: \`${what}\``, edits: [edit] };
}

/** `finally faults.write == 8`, where it is 9. */
function values(run: Run): readonly Fix[] {
  return run.meaning.properties.flatMap(({ when, condition }) => {
    if (when !== 'finally' || condition.kind !== 'binary' || condition.operator !== '==') return [];
    if (condition.left.type !== 'number' || run.evaluate(condition) !== 0) return [];
    const { left, right } = condition;
    const put = (place: Span, value: Value): Fix => {
      const { from, to } = place;
      const text = String(run.evaluate(value));
      return expect(text, { from, to, text });
    };
    if (right.kind === 'number') return [put(right, left)];
    return left.kind === 'number' ? [put(left, right)] : [];
  });
}

/** `never race`, where there was one; a broken contract, which nobody needs to forbid. */
function occurrences(run: Run): readonly Fix[] {
  const forbidden = (what: OccurrenceName): readonly Fix[] =>
    run.meaning.properties.flatMap(({ when, condition, from }) =>
      when === 'never' && condition.kind === 'occurred' && condition.what === what
        ? [expect(`finally ${what}`, { from, to: from + when.length, text: 'finally' })]
        : [],
    );
  const races = run.races().length === 0 ? [] : forbidden('race');
  if (run.violations().length === run.expected().length) return races;
  const turned = forbidden('violation');
  if (turned.length > 0) return [...races, ...turned];
  const { from, to } = run.meaning;
  const at = from + run.textOf({ from, to }).length;
  const edits = inserted(at, '\n\nfinally violation').edits;
  return [...races, ...edits.map((edit) => expect('finally violation', edit))];
}

/** An outcome that is not listed is added to the list, one that is forbidden becomes allowed. */
function outcome(run: Run): readonly Fix[] {
  const { outcomes } = run.meaning;
  if (outcomes === undefined || !run.done) return [];
  const found = run.observed();
  const status = statusOf(outcomes, found);
  if (status === 'allowed' || status === 'required') return [];
  const allowed = `allowed ${outcomeText(outcomes, found)}`;
  const row = rowOf(outcomes, found);
  if (row !== undefined)
    return [expect(allowed, { from: row.from, to: row.from + row.word.length, text: 'allowed' })];
  const last = outcomes.rows.at(-1);
  const edits = last === undefined ? [] : inserted(last.to, `, ${allowed}`).edits;
  return edits.map((edit) => expect(allowed, edit));
}
