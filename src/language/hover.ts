// Hover: what a word does in the kernel, what a name stands for, what a number is in pages.

import type { Span } from '../base/text';
import { shapeText } from '../hardware/svga/shapes';
import { type FailurePoint, failurePoints } from '../kernel/lib/fault-inject';
import { deviationForms, deviationOf } from '../kernel/variants';
import type { Checked } from '../scenario/diagnostics';
import { describe } from '../scenario/expressions';
import type { Known } from '../scenario/known';
import type { Entity } from '../scenario/names';
import { procedureForm } from '../scenario/statements';
import { tracepoints } from '../scenario/tracepoints';
import {
  advices,
  bindWords,
  commands,
  counters,
  type Entry,
  entryOf,
  errors,
  exploreSettings,
  failureWords,
  fenceFields,
  fieldsOf,
  looks,
  machineSettings,
  mapWords,
  occurrences,
  operations,
  outcomeWords,
  protections,
  scheduleForms,
  statementMeanings,
  surfaceAttributes,
} from '../scenario/vocabulary';
import { type FormName, forms } from '../syntax/forms';
import { PAGE_SIZE, readNumber, showBytes } from '../syntax/numbers';
import { ownerBefore, type Place, placeAt } from './place';
import { useAt } from './references';

export interface Hover extends Span {
  /** Markdown. */
  readonly text: string;
}

/** What is known of the word at the offset. */
export function hover(checked: Checked, offset: number, known: Known): Hover | undefined {
  const word = wordAt(checked.parsed.text, offset);
  const place = placeAt(checked, word.to);
  if (place === undefined || word.from === word.to) return undefined;
  const from = Math.min(place.word.from, word.from);
  const span = { from, to: place.block === 'machine' ? endOfId(checked, word.to) : word.to };
  const shown = checked.parsed.text.slice(span.from, span.to);
  const text = numberText(shown) ?? entityText(checked, offset) ?? wordText(shown, place, known);
  return text === undefined ? undefined : { ...span, text };
}

/** Where an id of a variant ends, of which a word ends at the offset. */
const endOfId = ({ parsed: { text } }: Checked, to: number): number =>
  to + (/^[\w.-]*/.exec(text.slice(to, to + 200))?.[0].length ?? 0);

/** The word around an offset; in `linux-6.1` all of it. */
function wordAt(text: string, offset: number): Span {
  let from = offset;
  let to = offset;
  while (from > 0 && /\w/.test(text[from - 1] ?? '')) from--;
  while (to < text.length && /\w/.test(text[to] ?? '')) to++;
  const longer = /^[\w.-]*/.exec(text.slice(to, to + 40))?.[0] ?? '';
  const setting = /^(-|\.\d)[\w.-]*$/.test(longer);
  return { from, to: setting ? to + longer.length : to };
}

function numberText(word: string): string | undefined {
  if (!/^\d/.test(word)) return undefined;
  const { value, problem } = readNumber(word);
  if (problem !== undefined) return undefined;
  const pages = value / PAGE_SIZE;
  const inPages =
    Number.isInteger(pages) && pages > 0 ? ` = ${pages} page${pages === 1 ? '' : 's'}` : '';
  return `${value}${value >= 1024 && value % 1024 === 0 ? ` = ${showBytes(value)}` : ''}${inPages}`;
}

function entityText(checked: Checked, offset: number): string | undefined {
  const use = useAt(checked, offset);
  return use && `\`${use.entity.name}\`: ${describeEntity(use.entity)}`;
}

/** What a name stands for, in a line. */
export function describeEntity(entity: Entity): string {
  switch (entity.kind) {
    case 'constant':
      return `constant, ${entity.value}`;
    case 'surface': {
      const { bytes, coherent, shape, later } = entity.surface;
      const pages = Math.ceil(bytes / PAGE_SIZE);
      const size = `${showBytes(bytes)}, ${pages} page${pages === 1 ? '' : 's'}`;
      const made = later === undefined ? '' : ', made by `create`';
      return `${coherent ? 'coherent ' : ''}${shapeText(shape)}, ${size}${made}`;
    }
    case 'variable': {
      const { mapping, type, thread, process } = entity.variable;
      const home = thread === undefined ? `process \`${process}\`` : `thread \`${thread}\``;
      if (mapping !== undefined) {
        const words = `${mapping.readonly ? 'read-only ' : ''}${mapping.private ? 'private ' : ''}`;
        return `${words}mapping of \`${mapping.surface.name}\` in ${home}`;
      }
      return `${type === 'boolean' ? 'condition' : type} of ${home}`;
    }
    case 'fence':
    case 'event': {
      const count = entity.indexed ? `, ${entity.family.size} of them` : '';
      return `${entity.kind}${count}`;
    }
    case 'procedure':
      return `procedure \`${procedureForm(entity.procedure)}\``;
    case 'parameter': {
      const { thing } = entity;
      return thing === undefined ? 'parameter' : `parameter; in one call ${describe(thing)}`;
    }
    case 'broken':
      return 'its line has a problem';
    default:
      return entity.kind;
  }
}

function wordText(word: string, place: Place, known: Known): string | undefined {
  if (place.block === 'machine') {
    const variant = known.variants.find(({ id }) => id === word);
    if (variant !== undefined) return `variant \`${word}\`: ${variant.sentence}`;
    const own = deviationOf(word);
    const form = deviationForms.find(({ id }) => id.startsWith(`${own?.kind}.`));
    if (form !== undefined) return `\`${form.id}\`: ${form.sentence}`;
    return table(word, machineSettings);
  }
  if (place.block === 'explore') return table(word, exploreSettings);
  if (place.block === 'outcomes' && place.before === '') return table(word, outcomeWords);
  if (place.block === 'schedule') return scheduleText(word, place.before);
  if (/\.\s*$/.test(place.before))
    return fieldText(word, ownerBefore(place.before.replace(/\.\s*$/, '')));
  if (place.block === 'submit' && place.before === '') return table(word, commands);
  if (Object.hasOwn(forms, word)) {
    const name = word as FormName;
    return block(forms[name], statementMeanings[name]);
  }
  const counter = Object.entries(counters).find(([name]) => name === word);
  if (counter !== undefined) return `counter: ${counter[1]}`;
  const occurrence = Object.entries(occurrences).find(([name]) => name === word);
  if (occurrence !== undefined) return occurrence[1];
  if (Object.hasOwn(errors, word)) {
    const { value, does } = errors[word as keyof typeof errors];
    return `${value}: ${does}`;
  }
  if (/\b(?:events|first|last)\s*\(\s*$/.test(place.before) && Object.hasOwn(tracepoints, word))
    return tracepointText(word);
  const verb = /^(\w+)\s/.exec(place.before)?.[1];
  if (verb === 'fail' && Object.hasOwn(failurePoints, word))
    return `point of failure: ${failurePoints[word as FailurePoint]}`;
  if (verb === 'fail' && Object.hasOwn(failureWords, word)) return table(word, failureWords);
  if (verb === 'protect' && Object.hasOwn(protections, word)) return table(word, protections);
  if (/^(un)?bind$/.test(verb ?? '') && Object.hasOwn(bindWords, word))
    return table(word, bindWords);
  if (verb === 'advise' && Object.hasOwn(advices, word)) return table(word, advices);
  return (
    table(word, operations) ??
    table(word, looks) ??
    table(word, place.before.startsWith('surface') ? surfaceAttributes : mapWords)
  );
}

/** Of a line of a schedule. */
function scheduleText(word: string, before: string): string | undefined {
  const { until, event, returns, count, chooses, interrupt } = scheduleForms;
  if (before === '') {
    if (word === 'gpu') return 'the device';
    return word === 'interrupt' ? block(interrupt.form, interrupt.does) : undefined;
  }
  if (/^\w+\s+until\s+$/.test(before) && Object.hasOwn(tracepoints, word))
    return `${tracepointText(word)}\n\n${event.does}`;
  const rows: Readonly<Record<string, Entry>> = {
    until,
    idle: until,
    returns,
    is: returns,
    called: returns,
    for: count,
    statement: count,
    statements: count,
    step: count,
    steps: count,
    chooses,
  };
  return table(word, rows);
}

function tracepointText(name: string): string {
  const { does = '', args = {} } = tracepoints[name] ?? {};
  return `event \`${name}(${Object.keys(args).join(', ')})\`: ${does}`;
}

function fieldText(word: string, owner: string | undefined): string | undefined {
  const fields = fieldsOf[owner ?? ''] ?? fenceFields;
  const full = Object.entries(counters).find(([name]) => name === `${owner ?? ''}.${word}`);
  if (full !== undefined) return `counter: ${full[1]}`;
  return Object.hasOwn(fields, word) ? (fields as Record<string, string>)[word] : undefined;
}

function table(
  word: string,
  words: Readonly<Record<string, { readonly form: string; readonly does: string }>>,
): string | undefined {
  const entry = entryOf(words, word);
  return entry && block(entry.form, entry.does);
}

function block(form: string, does: string): string {
  return `\`\`\`coherence\n${form}\n\`\`\`\n${does}`;
}
