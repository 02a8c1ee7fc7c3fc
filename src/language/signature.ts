// Signature help: the form of the statement or question being typed, with the part that comes next. Forms are data of
// the language (vocabulary.ts, forms.ts); the parts are read off them.
import type { Checked } from '../scenario/diagnostics';
import { procedureForm } from '../scenario/statements';
import {
  commands,
  type Entry,
  entryOf,
  looks,
  operations,
  statementMeanings,
} from '../scenario/vocabulary';
import { type FormName, forms } from '../syntax/forms';
import type { Procedure } from '../syntax/tree';
import { ownerBefore, placeAt } from './place';

export interface Signature {
  /** The whole form, its parts, each a range of the form, and which of them the cursor is in. */
  readonly form: string;
  readonly parts: readonly (readonly [number, number])[];
  readonly active: number | undefined;
  readonly documentation: string;
}

/** What is being typed at the offset, if it has a form. */
export function signature(checked: Checked, offset: number): Signature | undefined {
  const place = placeAt(checked, offset);
  if (place === undefined) return undefined;
  const typed = place.before + checked.parsed.text.slice(place.word.from, place.word.to);
  const open = openCall(typed);
  const asked = open === undefined ? undefined : ownerBefore(typed.slice(0, open));
  const look = asked === undefined ? undefined : entryOf(looks, asked);
  if (look !== undefined) return formOf(look, [[look.form.indexOf('(') + 1, argumentEnd(look)]], 0);
  const called = asked === undefined ? undefined : place.scope?.find(asked);
  if (called?.kind === 'procedure' && open !== undefined)
    return callOf(called.procedure, typed.slice(open + 1));
  const statement = /^let\s+\w+\s*=\s*(\w.*)$/.exec(typed)?.[1] ?? typed;
  const verb = /^(\w+)\s/.exec(statement)?.[1];
  const entry = verb === undefined ? undefined : entryFor(verb, place.block === 'submit');
  if (entry === undefined) return undefined;
  // `let p = map ring` is told of by what stands behind the `=`.
  const from = Math.max(0, entry.form.search(new RegExp(`\\b${verb}\\b`)));
  const parts = partsOf(entry.form, from);
  return formOf(entry, parts, activeOf(statement, entry.form, parts));
}

/** What a procedure is given, by the commas so far. */
function callOf(procedure: Procedure, given: string): Signature {
  const form = procedureForm(procedure);
  let at = form.indexOf('(') + 1;
  const parts = procedure.parameters.map(({ text }): readonly [number, number] => {
    const from = at;
    at += text.length + ', '.length;
    return [from, from + text.length];
  });
  const active = given.replace(/\([^()]*\)|\[[^[\]]*\]/g, '').split(',').length - 1;
  const documentation =
    'Does the statements of the procedure, a frame of its own, with what is given here.';
  return { form, parts, active: active < parts.length ? active : undefined, documentation };
}

function entryFor(verb: string, inSubmit: boolean): Entry | undefined {
  if (Object.hasOwn(forms, verb)) {
    const name = verb as FormName;
    return { form: forms[name], does: statementMeanings[name] };
  }
  return entryOf<Readonly<Record<string, Entry>>>(inSubmit ? commands : operations, verb);
}

function formOf(entry: Entry, parts: Signature['parts'], active: number | undefined): Signature {
  return { form: entry.form, parts, active, documentation: entry.does };
}

const argumentEnd = ({ form }: Entry): number => form.indexOf(')');

/** The last parenthesis that is not closed. */
function openCall(typed: string): number | undefined {
  let depth = 0;
  for (let i = typed.length - 1; i >= 0; i--) {
    if (typed[i] === ')') depth++;
    else if (typed[i] === '(' && --depth < 0) return i;
  }
  return undefined;
}

/** What stands between blanks outside of brackets, behind the verb; a sign or word that leads in is part of what follows. */
function partsOf(form: string, from: number): readonly (readonly [number, number])[] {
  const parts: [number, number][] = [];
  const words = /(?:\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|"[^"]*"|[^\s[({"])+/g;
  words.lastIndex = from;
  words.exec(form);
  for (let word = words.exec(form); word !== null; word = words.exec(form)) {
    const last = parts.at(-1);
    const end = word.index + word[0].length;
    if (last !== undefined && leadsIn(form.slice(...last))) last[1] = end;
    else parts.push([word.index, end]);
  }
  return parts;
}

const leadsIn = (text: string): boolean => /^(=|on|as|to|reads|writes|else)$|:$/.test(text);

/** The part that the cursor is in: that of the last sign or word that leads in, else the next by count. */
function activeOf(typed: string, form: string, parts: Signature['parts']): number | undefined {
  const spaced = typed.replace(/\[[^\]]*\]?|\([^)]*\)?|"[^"]*"?/g, '_');
  let active = Math.max(0, spaced.trimStart().split(/\s+/).length - 2);
  for (const [i, [from, to]] of parts.entries()) {
    const lead = /^(=|on|as|to|reads|writes|else)\s/.exec(form.slice(from, to))?.[1];
    if (lead === undefined) continue;
    if (spaced.split(/\s+/).includes(lead)) active = i;
    else active = Math.min(active, Math.max(0, i - 1));
  }
  return active < parts.length ? active : undefined;
}
