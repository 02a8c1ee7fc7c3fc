// What a run came to, as what is expected from now on: changes of the scenario's text. A `finally` that compares with a
// number gets the number found, an outcome becomes an allowed one, a race that was forbidden one that happens. For what
// breaks the coherence contract there is none: it makes a run `violated` whatever the scenario says.
import { type Fix, inserted } from '../base/fixes';
import type { Edit, Span } from '../base/text';
import type { Value } from './meaning';
import { outcomeText, rowOf, statusOf } from './outcomes';
import type { Run } from './run';

/** The changes for a run that has ended, of the scenario's own file only. */
export function expectations(run: Run, length: number): readonly Fix[] {
  return [...values(run), ...races(run), ...outcome(run)].filter(({ edits }) =>
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

/** `never race`, where there was one. */
function races(run: Run): readonly Fix[] {
  if (run.races().length === 0) return [];
  return run.meaning.properties.flatMap(({ when, condition, from }) =>
    when === 'never' && condition.kind === 'occurred' && condition.what === 'race'
      ? [expect('finally race', { from, to: from + when.length, text: 'finally' })]
      : [],
  );
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
