// Completion that knows the place: what can be typed here, each with a sentence.

import { surfaceDescs } from '../hardware/svga/shapes';
import { failurePoints } from '../kernel/lib/fault-inject';
import { deviationForms } from '../kernel/variants';
import { continuations } from '../scenario/deviations';
import type { Checked } from '../scenario/diagnostics';
import { agentNames } from '../scenario/directives';
import type { Known } from '../scenario/known';
import type { Entity } from '../scenario/names';
import { homesOf, observable } from '../scenario/outcomes';
import type { Resolved } from '../scenario/resolve';
import { procedureForm } from '../scenario/statements';
import { tracepoints } from '../scenario/tracepoints';
import {
  advices,
  bindWords,
  commands,
  counters,
  devices,
  type Entry,
  errors,
  exploreSettings,
  failureWords,
  fenceFields,
  fieldsOf,
  grabWords,
  looks,
  machineSettings,
  mapWords,
  memories,
  methods,
  occurrences,
  operations,
  outcomeWords,
  pinWords,
  protections,
  scheduleForms,
  statementMeanings,
  submissions,
  surfaceAttributes,
  trackings,
  waitWords,
} from '../scenario/vocabulary';
import { forms, statementWords } from '../syntax/forms';
import { describeEntity } from './hover';
import { ownerBefore, type Place, placeAt } from './place';
import { callSnippet, snippetOf } from './snippets';

export type CompletionKind = 'keyword' | 'operation' | 'name' | 'field' | 'value';

export interface Completion {
  readonly label: string;
  readonly kind: CompletionKind;
  /** In one line: how it is written, or what it is. */
  readonly detail: string;
  readonly documentation: string;
  /** How it is put in where the client knows snippets: with places to fill in. */
  readonly snippet: string | undefined;
  /** What it replaces, as offsets. */
  readonly from: number;
  readonly to: number;
}

type Item = Omit<Completion, 'from' | 'to' | 'snippet'> & {
  /** Of what is followed by parentheses: how, with something in them. */
  readonly given?: string;
};

/** Everything that can stand at the offset. */
export function complete(checked: Checked, offset: number, known: Known): readonly Completion[] {
  const place = placeAt(checked, offset);
  if (place === undefined) return [];
  const items = itemsAt(place, checked, known).map((item) => ({ ...item, ...place.word }));
  // Where more stands on the line, only the word is changed.
  const alone = /^[ \t]*(?:\}|[\n\r]|$)/.test(checked.parsed.text.slice(offset, offset + 200));
  const begins = alone && place.before === '';
  return items.map((item) => ({
    ...item,
    snippet: begins && item.detail !== item.label ? snippetFor(item) : undefined,
  }));
}

/** What begins a statement or a setting brings its form along. */
function snippetFor({ label, kind, detail, given }: Item): string | undefined {
  if (given !== undefined) return callSnippet(given);
  return kind === 'keyword' || kind === 'operation' ? snippetOf(detail, label) : undefined;
}

function itemsAt(place: Place, checked: Checked, known: Known): readonly Item[] {
  const { before, block } = place;
  if (block === 'machine') return machineItems(place, checked, known);
  if (block === 'explore') return before === '' ? entries(exploreSettings, 'keyword') : [];
  if (block === 'schedule') return scheduleItems(before, checked, resolvedAt(checked, place));
  if (block === 'outcomes') return outcomeItems(place, resolvedAt(checked, place));
  if (before === '') return statementItems(place);
  if (/^outcomes\s*\(/.test(before)) return observedItems(place, resolvedAt(checked, place));
  if (/\.\s*$/.test(before) && !/\.\.\s*$/.test(before))
    return fieldItems(before.replace(/\.\s*$/, ''));
  if (/\bon\s+$/.test(before)) return cpuItems(checked);
  const own = /^process\s+(\w+)\s+(forks\s+)?$/.exec(before);
  if (own?.[2] !== undefined)
    return named(place, ['process']).filter(({ label }) => label !== own[1]);
  if (own !== null) return [value('forks', 'process child forks app', statementMeanings.process)];
  if (/^surface\s+\w+\s*:\s*$/.test(before))
    return surfaceKinds.map((kind) => entryItem(kind, surfaceAttributes[kind], 'keyword'));
  if (/^surface\s+\w+\s*:/.test(before)) return attributeItems(place);
  if (/^(surface|process|thread|let|const|procedure|import|scenario|schedule)\s+\w*$/.test(before))
    return [];
  if (/\bas\s+$/.test(before))
    return /^submit\b|\}\s*as\s+$/.test(before) ? named(place, ['fence']) : [];
  return operandItems(place);
}

const surfaceKinds = ['buffer', 'texture', 'cube'] as const;
const ofTextures = new Set(['by', 'mips', 'layers', 'samples']);

/** What can be said of a surface once it is known what kind it is. */
function attributeItems(place: Place): readonly Item[] {
  const own = /^surface\s+(\w+)/.exec(place.before)?.[1];
  if (/\bin\s+$/.test(place.before))
    return named(place, ['surface']).filter(({ label }) => label !== own);
  const isBuffer = /:\s*buffer\b/.test(place.before);
  const words = Object.entries(surfaceAttributes).filter(
    ([word]) =>
      !(surfaceKinds as readonly string[]).includes(word) && !(isBuffer && ofTextures.has(word)),
  );
  return [
    ...words.map(([word, entry]) => entryItem(word, entry, 'keyword')),
    ...(isBuffer ? [] : [...surfaceDescs.values()].map(({ name }) => value(name, 'format', ''))),
    ...named(place, ['constant', 'parameter']),
  ];
}

/** The scenario in which a place is; behind all of them, the last. */
function resolvedAt({ scenarios }: Checked, { word }: Place): Resolved | undefined {
  return scenarios.findLast(({ meaning }) => meaning.from <= word.from);
}

/** A line of a schedule: who goes, and how far. */
function scheduleItems(
  before: string,
  checked: Checked,
  resolved: Resolved | undefined,
): readonly Item[] {
  const { until, returns, count, chooses, interrupt } = scheduleForms;
  const [who, how, what, ...more] = before.split(/\s+/).slice(0, -1);
  if (who === undefined)
    return [
      ...(resolved === undefined ? [] : agentNames(resolved.meaning)).map(
        (name): Item => ({
          label: name,
          kind: 'name',
          detail: until.form,
          documentation: until.does,
        }),
      ),
      entryItem('interrupt', interrupt, 'keyword'),
    ];
  if (who === 'interrupt') return how === undefined ? cpuItems(checked) : [];
  if (how === undefined)
    return [
      entryItem('until', until, 'value'),
      entryItem('for', count, 'value'),
      entryItem('chooses', chooses, 'value'),
    ];
  if (how === 'for' && what !== undefined && more.length === 0)
    return ['statements', 'steps'].map((word) => entryItem(word, count, 'value'));
  if (how !== 'until' || more.length > 0) return [];
  if (what !== undefined)
    return ['returns', 'is called'].map((word) => entryItem(word, returns, 'value'));
  const functions = resolved?.program()?.names() ?? [];
  return [
    entryItem('idle', until, 'value'),
    ...tracepointItems(),
    ...functions.map((name) => value(name, 'function', returns.does)),
  ];
}

function tracepointItems(): readonly Item[] {
  return Object.entries(tracepoints).map(([name, { does, args }]) =>
    value(name, Object.keys(args).join(', '), does),
  );
}

/** A line of outcomes, with as many values as are looked at; within its parentheses, what is known before a run. */
function outcomeItems(place: Place, resolved: Resolved | undefined): readonly Item[] {
  if (place.before !== '')
    return [
      ...named(place, ['constant']),
      ...Object.keys(methods).map((name) => value(name, 'tracking method', '')),
      ...['true', 'false'].map((word) => value(word, 'condition', '')),
    ];
  const observed = resolved?.meaning.outcomes?.observed ?? [];
  const values = observed.map(({ type }) => valueOf[type]).join(', ');
  return Object.entries(outcomeWords).map(([word, { does }]) => {
    const form = `${word} (${values})`;
    return { label: word, kind: 'keyword', detail: form, documentation: does, given: form };
  });
}

/** Behind `outcomes (`: what can be looked at in the end, values of threads among it. */
function observedItems(place: Place, resolved: Resolved | undefined): readonly Item[] {
  const { before } = place;
  const owner = /((?:\w+\.)+)$/.exec(before)?.[1];
  const { processes = [], variables = [] } = resolved?.meaning ?? {};
  const [home] = homesOf(processes).filter(({ path }) => `${path.join('.')}.` === owner);
  if (home !== undefined)
    return observable(variables, home).map(({ name, type }) => value(name, type, ''));
  if (/\.\s*$/.test(before)) return fieldItems(before.replace(/\.\s*$/, ''));
  const homes = processes.flatMap(({ name, threads }) => [name, ...threads.map((t) => t.name)]);
  return [...homes.map((name) => value(name, 'what it named', '')), ...expressionItems(place)];
}

/** A value of each type, as one writes it. */
const valueOf = { number: '0', boolean: 'true', method: 'mkwrite' } as const;

function machineItems(place: Place, checked: Checked, known: Known): readonly Item[] {
  const { before, word } = place;
  const setting = /^(\w+)\s/.exec(before)?.[1];
  switch (setting) {
    case undefined:
      return entries(machineSettings, 'field');
    case 'kernel':
      return Object.keys(known.presets).map((preset) => value(preset, 'preset of variants', ''));
    case 'tracking':
      return trackings.map((tracking) =>
        value(tracking, 'tracking', machineSettings.tracking.does),
      );
    case 'memory':
      return memories.map((memory) => value(memory, 'memory', machineSettings.memory.does));
    case 'device':
      return devices.map((device) => value(device, 'device', machineSettings.device.does));
    case 'submission':
      return submissions.map((way) => value(way, 'submission', machineSettings.submission.does));
    case 'with':
    case 'without': {
      const typed = checked.parsed.text.slice(word.from, word.to);
      const program = typed.includes('.') ? resolvedAt(checked, place)?.program() : undefined;
      return [
        ...known.variants.map(({ id, sentence }) => value(id, 'variant', sentence)),
        ...deviationForms.map(({ id, sentence }) =>
          value(id.replace(/\..*/, '.'), `a fault of your own: ${id}`, sentence),
        ),
        ...continuations(program, typed).map((id) => value(id, 'a fault of your own', '')),
      ];
    }
    default:
      return [];
  }
}

/** The beginning of a statement. */
function statementItems(place: Place): readonly Item[] {
  const { block } = place;
  const inScenario = [
    'machine',
    'explore',
    'schedule',
    'surface',
    'process',
    'always',
    'never',
    'finally',
    'scenario',
    'const',
    'procedure',
    'import',
    'outcomes',
  ];
  const inThread = ['let', 'repeat', 'if', 'assert'];
  const words =
    block === 'file'
      ? inScenario
      : block === 'submit'
        ? []
        : block === 'process'
          ? [...inThread, 'thread']
          : inThread;
  const items = statementWords
    .filter((word) => words.includes(word))
    .map(
      (word): Item => ({
        label: word,
        kind: 'keyword',
        detail: forms[word],
        documentation: statementMeanings[word],
      }),
    );
  if (block === 'file') return [...items, entryItem('fail', operations.fail, 'operation')];
  if (block === 'submit') return [...items, ...entries(commands, 'operation')];
  return [...items, ...entries(operations, 'operation'), ...named(place, ['procedure'])];
}

function fieldItems(before: string): readonly Item[] {
  const owner = ownerBefore(before);
  const table = fieldsOf[owner ?? ''];
  if (table !== undefined) return fields(table);
  const event = /\b(?:first|last)\s*\(\s*(\w+)[^()]*\)$/.exec(before)?.[1];
  const args = tracepoints[event ?? '']?.args;
  if (args !== undefined) return fields(args);
  const prefix = `${owner ?? ''}.`;
  const counted = Object.entries(counters).filter(([name]) => name.startsWith(prefix));
  if (counted.length > 0)
    return fields(
      Object.fromEntries(counted.map(([name, does]) => [name.slice(prefix.length), does])),
    );
  return fields(fenceFields);
}

function fields(table: Readonly<Record<string, string>>): readonly Item[] {
  return Object.entries(table).map(([label, does]) => ({
    label,
    kind: 'field',
    detail: does,
    documentation: does,
  }));
}

function cpuItems({ scenarios }: Checked): readonly Item[] {
  const cpus = Math.max(1, ...scenarios.map(({ meaning }) => meaning.machine.cpus));
  return Array.from({ length: cpus }, (_, i) => value(`cpu${i}`, `CPU ${i} of ${cpus}`, ''));
}

/** Behind a verb: what it works on; anywhere else: what an expression can name. */
function operandItems(place: Place): readonly Item[] {
  const { before } = place;
  const verb = /^(?:let\s+\w+\s*=\s*)?(\w+)\s+$/.exec(before)?.[1];
  const inSubmit = place.block === 'submit';
  if (verb !== undefined && onSurfaces.has(verb)) return named(place, ['surface']);
  if (/\b(?:events|first|last)\s*\(\s*$/.test(before)) return tracepointItems();
  if (/\btlb\s*\(\s*$/.test(before)) return named(place, ['cpu']);
  const words = wordsBehind(before);
  if (words !== undefined) return entries(words, 'keyword');
  if (verb !== undefined && onMappings.has(verb) && !inSubmit) return mappings(place);
  if (verb === 'fail')
    return Object.entries(failurePoints).map(([name, does]) =>
      value(name, 'point of failure', does),
    );
  if (/^fail\s+\w+\s+(?:.*\s)?$/.test(before)) return entries(failureWords, 'keyword');
  if (verb === 'fork' || verb === 'clear_refs') return named(place, ['process']);
  if (verb === 'poll' || verb === 'attach') return named(place, ['fence']);
  if (verb === 'kill') return named(place, ['thread']);
  if (verb === 'wait') return named(place, ['fence', 'event']);
  if (verb === 'signal') return named(place, ['event']);
  if (/^copy\b.*\bto\s+$/.test(before) && !inSubmit) return mappings(place);
  if (/\b(reads|writes|to)\s+$/.test(before)) return named(place, ['surface']);
  if (verb === 'unbind') return entries(bindWords, 'keyword');
  if (verb === 'draw')
    return ['reads', 'writes', 'bound'].map((word) => value(word, commands.draw.form, ''));
  if (verb !== undefined && Object.hasOwn(commands, verb)) return named(place, ['surface']);
  if (/^let\s+\w+\s*=\s*$/.test(before))
    return [...expressionItems(place), ...entries(operations, 'operation')];
  return expressionItems(place);
}

const onSurfaces: ReadonlySet<string> = new Set([
  'map',
  'evict',
  'swapout',
  'pin',
  'unpin',
  'create',
  'destroy',
  'purge',
  'cursor',
  'grab',
  'release',
  'export',
]);

const onMappings: ReadonlySet<string> = new Set([
  'write',
  'read',
  'copy',
  'copy_to_user',
  'copy_from_user',
  'peek',
  'poke',
  'flush',
  'invalidate',
  'unmap',
  'protect',
  'advise',
  'remap',
]);

/** Where a buffer object can be pinned. */
const pinPlaces = Object.fromEntries(
  Object.entries(pinWords).flatMap(([name, entry]) =>
    name === 'in' ? [] : [[`in ${name}`, entry]],
  ),
);

/** The words that can stand behind what an operation works on. */
function wordsBehind(before: string): Readonly<Record<string, Entry>> | undefined {
  const verb = /\b(map|protect|advise|wait|grab|bind|pin|unpin)\s+\w+(?:\[[^\]]*\])?\s+$/.exec(
    before,
  )?.[1];
  const words = { map: mapWords, protect: protections, advise: advices, wait: waitWords };
  const more = { grab: grabWords, bind: bindWords, pin: pinPlaces, unpin: pinPlaces };
  return { ...words, ...more }[verb ?? ''];
}

function expressionItems(place: Place): readonly Item[] {
  const counted = new Set(Object.keys(counters).map((name) => name.replace(/\..*/, '')));
  return [
    ...named(place, ['argument', 'variable', 'constant', 'parameter', 'surface', 'fence']),
    ...entries(looks, 'operation'),
    ...[...counted].map((name) => value(name, 'counter', counterDoes(name))),
    ...Object.entries(occurrences).map(([name, does]) => value(name, 'condition', does)),
    ...Object.keys(methods).map((name) => value(name, 'tracking method', '')),
    ...Object.entries(errors).map(([name, { does }]) => value(name, 'error', does)),
  ];
}

function counterDoes(name: string): string {
  const exact = Object.entries(counters).find(([counter]) => counter === name);
  if (exact !== undefined) return exact[1];
  const parts = Object.keys(counters).filter((counter) => counter.startsWith(`${name}.`));
  return parts.map((counter) => `\`${counter}\``).join(', ');
}

function mappings(place: Place): readonly Item[] {
  return entities(place)
    .filter((entity) => entity.kind === 'variable' && entity.variable.type === 'mapping')
    .map(entityItem);
}

function named(place: Place, kinds: readonly Entity['kind'][]): readonly Item[] {
  return entities(place)
    .filter(({ kind }) => kinds.includes(kind))
    .map(entityItem);
}

function entities({ scope, word }: Place): readonly Entity[] {
  // A variable is known from its line on, a surface or a fence everywhere.
  return (scope?.entities() ?? []).filter(
    (entity) => entity.kind !== 'variable' || entity.declared.from < word.from,
  );
}

function entityItem(entity: Entity): Item {
  return {
    label: entity.name,
    kind: 'name',
    ...(entity.kind === 'procedure' ? { given: procedureForm(entity.procedure) } : {}),
    detail: describeEntity(entity),
    documentation: describeEntity(entity),
  };
}

function entries(table: Readonly<Record<string, Entry>>, kind: CompletionKind): readonly Item[] {
  return Object.entries(table).map(([label, entry]) => entryItem(label, entry, kind));
}

function entryItem(label: string, { form, does }: Entry, kind: CompletionKind): Item {
  return { label, kind, detail: form, documentation: does };
}

function value(label: string, detail: string, documentation: string): Item {
  return { label, kind: 'value', detail, documentation };
}
