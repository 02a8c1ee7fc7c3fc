// From tree to meaning: a scenario's machine, surfaces, processes, properties. All problems are reported, all
// names are noted with their uses; the meaning is complete only when no error was reported.
import { type Fix, removed, replaced, respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import { deviationHelp, deviationId, deviationOf } from '../kernel/variants';
import type { Program } from '../routine/program';
import type { Deviation } from '../routine/routine';
import { isEdit, readSchedule } from '../routine/schedule';
import type {
  Const,
  Explore,
  Let,
  Machine,
  Name,
  Operation,
  Path,
  Procedure,
  Process,
  Scenario,
  ScenarioFile,
  Schedule,
  Setting,
  Statement,
  Thread,
} from '../syntax/tree';
import { agentCount, composeProgram, variantsOf } from './compose';
import type { Place } from './declare';
import { missedFix, missedText } from './deviations';
import { resolveDirectives } from './directives';
import { isPath, resolveTyped, resolveValue } from './expressions';
import type { Known } from './known';
import {
  allSteps,
  exportedFences,
  type Failure,
  type Family,
  type Fork,
  innerSteps,
  type MachineOptions,
  type ProcessMeaning,
  type PropertyMeaning,
  type ScenarioMeaning,
  type Step,
  type SurfaceMeaning,
  settingVariants,
  type ThreadMeaning,
  type Variable,
} from './meaning';
import { type Entity, emptyNotes, type Notes, type Report, Scope } from './names';
import { resolveOutcomes } from './outcomes';
import { rehearse } from './rehearse';
import {
  baseOf,
  checkConstant,
  failureOf,
  headOf,
  resolveBlock,
  resolveStep,
  resolveSteps,
} from './statements';
import { checkCreated, checkStores, resolveSurface } from './surfaces';
import { type JudgedThread, type JudgedThreads, Threads } from './threads';
import {
  ATOM_MAX,
  CPUS_MAX,
  commands,
  type Device,
  devices,
  exploreSettings,
  type Memory,
  MOB_PAGES_MAX,
  machineSettings,
  memories,
  operations,
  SEQNO_MAX,
  type Submission,
  submissions,
  type Tracking,
  trackings,
  VRAM_PAGES_DEFAULT,
  VRAM_PAGES_MAX,
} from './vocabulary';

export interface Resolved {
  readonly meaning: ScenarioMeaning;
  readonly notes: Notes;
  /** The routines of its machine; none where an error is in the way of one, beside those in what is said of the machine. */
  readonly program: () => Program | undefined;
  /** What was found of its threads, for the next check. */
  readonly threads: JudgedThreads | undefined;
  /** Threads that stand as they stood were left out: the problems are whole, the meaning and the notes are not. */
  readonly partial: boolean;
}

/** What an earlier check found of the threads of a scenario, and the text in which they stand now. */
export interface ThreadsBefore {
  readonly text: string;
  readonly earlier: JudgedThreads | undefined;
}

/** A scenario, with what its file and others give it. */
export interface Given {
  readonly file: ScenarioFile;
  readonly imported: readonly Statement[];
  readonly scenario: Scenario;
  readonly known: Known;
  /** Without it every thread is judged. */
  readonly threads?: ThreadsBefore | undefined;
}

const DEFAULT_MACHINE: MachineOptions = {
  kernel: 'series-v2',
  cpus: 2,
  mobPages: 0,
  vramPages: VRAM_PAGES_DEFAULT,
  lastSeqno: 0,
  tracking: 'auto',
  memory: 'coherent',
  device: 'sm5',
  submission: 'stream',
  atom: 64,
  with: [],
  without: [],
};

/** The meaning of one scenario of a file. */
export function resolve(given: Given, reportTo: Report): Resolved {
  const { file, imported, scenario, known } = given;
  let errors = 0;
  let threads: Threads | undefined;
  const report: Report = ({ from, to }, message, severity = 'error', fix = undefined) => {
    if (severity === 'error') errors++;
    threads?.note({ from, to, message, severity, fix });
    reportTo({ from, to }, message, severity, fix);
  };
  const notes: Notes = emptyNotes();
  const scope = new Scope(undefined, notes, scenario);
  const own = [...file.shared, ...scenario.body];
  const body = [...imported, ...own];
  const machine = resolveMachine(own, imported, known, report);
  const ofMachine = errors; // what is wrong there was left out of it
  for (let cpu = 0; cpu < machine.cpus; cpu++)
    scope.override({ kind: 'cpu', name: `cpu${cpu}`, declared: scenario.heading, cpu });
  const surfaces = declareThings(body, scope, report);
  for (const statement of body)
    if (statement.kind === 'process' && statement.name !== undefined)
      declareAgent('process', statement.name, scope, report);
  const families = declareFamilies(body, scope, report);
  const variables: Variable[] = [];
  const processes: ProcessMeaning[] = [];
  const properties: PropertyMeaning[] = [];
  const failures: Failure[] = [];
  const called = { count: 0 };
  const said = new Set<string>();
  threads = threadsOf(given, body, families, scope);
  /** A thread that stands as it stood: what was found of it is said again. */
  const stands = (judged: JudgedThread): void => {
    errors += judged.errors;
    for (const { message, severity, fix, ...span } of judged.found)
      reportTo(span, message, severity, fix);
  };
  const judging = threads && { threads, stands };
  const around = { scope, report, machine, variables, families, called, said, judging };
  for (const statement of body)
    if (statement.kind === 'procedure') readProcedure(statement, around);
  let schedule: Schedule | undefined;
  for (const statement of body) {
    switch (statement.kind) {
      case 'process':
        processes.push(resolveProcess(statement, processes, around));
        break;
      case 'property': {
        const { when, from, to } = statement;
        const who = `\`${when}\``;
        const condition = resolveTyped(statement.condition, 'boolean', who, scope, report);
        if (condition === undefined) break;
        if (condition.kind === 'number') checkConstant(statement, condition.value !== 0, report);
        properties.push({ when, from, to, condition });
        break;
      }
      case 'schedule':
        if (schedule !== undefined)
          report(headOf(statement), 'there is a `schedule` already; a scenario has one');
        schedule ??= statement;
        break;
      case 'let':
        misplacedLet(statement, report);
        break;
      case 'outcomes':
        break;
      case 'import':
        if (scenario.body.includes(statement))
          report(headOf(statement), 'an import stands before the first scenario of its file');
        break;
      case 'explore':
      case 'machine':
      case 'surface':
      case 'const':
      case 'procedure':
        break;
      case 'operation':
        if (statement.verb.text === 'fail') {
          const failure = failureOf(statement, report);
          if (failure !== undefined) failures.push(failure);
          break;
        }
        report(headOf(statement), misplaced(statement), 'error', respelledStatement(statement));
        break;
      default:
        report(headOf(statement), misplaced(statement), 'error', respelledStatement(statement));
    }
  }
  if (processes.length === 0)
    report(
      scenario.heading,
      'nothing happens in this scenario; add a process: `process app { … }`',
      'warning',
    );
  const meaning: ScenarioMeaning = {
    from: scenario.from,
    to: scenario.to,
    title: scenario.title?.text ?? '',
    machine,
    surfaces,
    processes,
    fences: families.fences,
    events: families.events,
    variables,
    properties,
    schedule: schedule?.text?.text,
    failures,
    outcomes: resolveOutcomes(body, { scope, notes, variables, processes, report }),
    explore: resolveExplore(body, report),
  };
  checkSyncFiles(meaning, report);
  checkCreated(meaning, report);
  const sizeOf = rehearse(meaning, report, errors > 0, threads);
  for (const family of [...families.fences, ...families.events]) family.size = sizeOf(family);
  const complete = errors === ofMachine; // what is wrong with a schedule is in nobody's way
  let made: Program | undefined;
  const program = (): Program | undefined => {
    if (complete) made ??= composeProgram(meaning, variantsOf(meaning));
    return made;
  };
  if (machine.with.some((id) => deviationOf(id) !== undefined)) {
    const own = program();
    for (const deviation of own?.missed ?? []) {
      const at = settingOf(body, deviation);
      report(at, missedText(own!, deviation), 'error', missedFix(own!, deviation, at));
    }
  }
  if (schedule?.text !== undefined)
    checkChoices(schedule.text, complete ? meaning : undefined, report);
  const beside = { notes, program, threads: threads?.all, partial: (threads?.kept ?? 0) > 0 };
  if (schedule?.body === undefined) return { meaning, ...beside };
  const functions = () => program()?.names() ?? [];
  const words = resolveDirectives(schedule.body, meaning, { notes, functions, report });
  return { meaning: { ...meaning, schedule: words }, ...beside };
}

/** Who makes a sync file, and who needs one. */
const ofSyncFiles = /\b(export|exported|attach)\b|\bsubmit\s*\{[^}]*\bwait\b/;

/**
 * The threads of a scenario that can be judged one by one. Not so where something looks at all of them: outcomes, a
 * schedule, a procedure that does what others see, calls, of which there may only be so many, sync files.
 */
function threadsOf(
  { scenario, threads }: Given,
  body: readonly Statement[],
  families: Families,
  scope: Scope,
): Threads | undefined {
  if (threads === undefined) return undefined;
  if (body.some(({ kind }) => ['outcomes', 'schedule', 'procedure'].includes(kind)))
    return undefined;
  if (ofSyncFiles.test(threads.text.slice(scenario.from, scenario.to))) return undefined;
  const isThread = (statement: Statement): statement is Thread => statement.kind === 'thread';
  const own = scenario.body.flatMap((statement) =>
    statement.kind === 'process' ? (statement.body?.statements.filter(isThread) ?? []) : [],
  );
  const shared = [...families.fences, ...families.events].map((family) => {
    const entity = scope.find(family.name);
    return { family, indexed: entity !== undefined && 'indexed' in entity && entity.indexed };
  });
  return new Threads({ ...threads, scenario, threads: own, families: shared });
}

/** A schedule as a run printed it: its words can be read, and the agents that it names exist. */
function checkChoices(text: Name, meaning: ScenarioMeaning | undefined, report: Report): void {
  const choices = readSchedule(text.text);
  if (typeof choices === 'string') report(text, choices);
  if (typeof choices === 'string' || meaning === undefined) return;
  const agents = agentCount(meaning);
  const named = choices.map(({ entry }) => (isEdit(entry) ? 0 : entry.agent));
  const other = named.find((agent) => agent >= agents);
  if (other === undefined) return;
  const where = `there is no agent ${other}: this scenario has 0 to ${agents - 1}`;
  report(text, `${where}; a schedule holds for the scenario whose run printed it`);
}

/** A submission can only be given a fence that is a sync file. */
function checkSyncFiles(meaning: ScenarioMeaning, report: Report): void {
  const exported = exportedFences(meaning);
  for (const step of allSteps(meaning)) {
    const fence =
      step.kind === 'submit' ? step.behind : step.kind === 'attach' ? step.member : undefined;
    if (fence === undefined) continue;
    const { name } = fence.family;
    if (exported.has(name)) continue;
    report(
      step,
      `this needs a sync file, and \`${name}\` is none; name it with \`as ${name} exported\``,
    );
  }
}

function misplacedLet(statement: Let, report: Report): void {
  const { value } = statement;
  if (value?.kind === 'operation')
    report(value.verb, `\`${value.verb.text}\` is done by a process; put this line into one`);
  else
    report(
      headOf(statement),
      'outside of processes and procedures a value is a constant: `const NAME = …`',
      'error',
      replaced(headOf(statement), 'const'),
    );
}

function misplaced(statement: Statement): string {
  if (statement.kind === 'thread')
    return 'a thread belongs into a process: `process app { thread … }`';
  if (statement.kind !== 'operation')
    return `\`${statement.kind}\` is done by a thread; put it into \`process app { thread … }\``;
  const verb = statement.verb.text;
  if (Object.hasOwn(operations, verb) || Object.hasOwn(commands, verb))
    return `\`${verb}\` is done by a thread; put it into \`process app { thread … }\``;
  const list = scenarioWords.map((word) => `\`${word}\``).join(', ');
  return `\`${verb}\` is no part of a scenario${didYouMean(verb, scenarioWords) || `; there are ${list}`}`;
}

/** What a statement of a scenario can begin with. */
const scenarioWords = [
  'machine',
  'surface',
  'process',
  'const',
  'procedure',
  'import',
  'outcomes',
  'always',
  'never',
  'finally',
  'scenario',
  'schedule',
  'explore',
];

function respelledStatement(statement: Statement): Fix | undefined {
  if (statement.kind !== 'operation') return undefined;
  const { verb } = statement;
  const done = Object.hasOwn(operations, verb.text) || Object.hasOwn(commands, verb.text);
  return done ? undefined : respelled(verb, scenarioWords);
}

// The machine.

/** The one machine of a scenario; an imported one only where it has none. */
function resolveMachine(
  body: readonly Statement[],
  imported: readonly Statement[],
  known: Known,
  report: Report,
): MachineOptions {
  const isMachine = (statement: Statement): statement is Machine => statement.kind === 'machine';
  const own = body.filter(isMachine);
  const [machine, second] = own.length > 0 ? own : imported.filter(isMachine);
  if (second !== undefined)
    report(
      headOf(second),
      'there is a `machine` already; a scenario has one',
      'error',
      removed(second, 'this machine'),
    );
  if (machine === undefined) return DEFAULT_MACHINE;
  let { kernel, cpus, tracking, memory, device, submission, atom, mobPages, vramPages, lastSeqno } =
    DEFAULT_MACHINE;
  const added: Name[] = [];
  const dropped: Name[] = [];
  const once = new Set<string>();
  for (const setting of machine.settings) {
    if (!knownSetting(setting, machineSettings, report)) continue;
    const [value] = setting.values;
    if (value === undefined || !saidOnce(setting, once, report)) continue;
    switch (setting.key.text as keyof typeof machineSettings) {
      case 'kernel':
        if (checkWord(value, 'kernel', Object.keys(known.presets), report)) kernel = value.text;
        break;
      case 'cpus':
        cpus = checkCount(value, CPUS_MAX, 'CPUs', report) ?? cpus;
        break;
      case 'mobs':
        mobPages = checkCount(value, MOB_PAGES_MAX, 'pages', report) ?? mobPages;
        break;
      case 'vram':
        vramPages = checkCount(value, VRAM_PAGES_MAX, 'pages', report) ?? vramPages;
        break;
      case 'seqno':
        lastSeqno = checkCount(value, SEQNO_MAX, 'fences', report) ?? lastSeqno;
        break;
      case 'tracking':
        if (checkWord(value, 'way of tracking', trackings, report))
          tracking = value.text as Tracking;
        break;
      case 'memory':
        if (checkWord(value, 'kind of memory', memories, report)) memory = value.text as Memory;
        break;
      case 'device':
        if (checkWord(value, 'device', devices, report)) device = value.text as Device;
        break;
      case 'submission':
        if (checkWord(value, 'way of submission', submissions, report))
          submission = value.text as Submission;
        break;
      case 'atom':
        atom = checkAtom(value, report) ?? atom;
        break;
      case 'with':
        added.push(...setting.values);
        break;
      case 'without':
        dropped.push(...setting.values);
        break;
    }
  }
  const ids = known.variants.map(({ id }) => id);
  const isKnown = (name: Name): boolean =>
    deviationOf(name.text) !== undefined || checkWord(name, 'variant', ids, report);
  const with_ = added.filter(isKnown);
  const without = dropped.filter(isKnown);
  const settings = { tracking, memory, device, submission };
  checkVariants(with_, without, kernel, settingVariants(settings), known, report);
  const texts = (names: readonly Name[]): string[] => names.map(({ text }) => text);
  const variants = { with: texts(with_), without: texts(without) };
  return { kernel, cpus, ...settings, atom, mobPages, vramPages, lastSeqno, ...variants };
}

/** What is said of variants must not contradict itself; what changes nothing is probably a mistake. */
function checkVariants(
  added: readonly Name[],
  dropped: readonly Name[],
  kernel: string,
  choices: readonly string[],
  { presets, variants, alternatives }: Known,
  report: Report,
): void {
  const leaveOut = (name: Name): Fix => removed(name, `\`${name.text}\``);
  const membersOf = ({ text }: Name): readonly string[] =>
    variants.find(({ id }) => id === text)?.members ?? [text];
  const preset = presets[kernel] ?? [];
  const said = new Set<string>();
  for (const name of added) {
    const others = alternatives.find((group) => group.includes(name.text)) ?? [];
    const other = [...choices, ...said].find((one) => one !== name.text && others.includes(one));
    if (other !== undefined)
      report(name, `\`${name.text}\` and \`${other}\` exclude each other`, 'error', leaveOut(name));
    else if (said.has(name.text) || membersOf(name).every((one) => preset.includes(one)))
      report(
        name,
        said.has(name.text)
          ? `\`${name.text}\` is there already`
          : `\`${kernel}\` has \`${name.text}\` by itself`,
        'warning',
        leaveOut(name),
      );
    said.add(name.text);
  }
  const there = new Set([...preset, ...choices, ...added.flatMap(membersOf)]);
  for (const name of dropped)
    if (said.has(name.text))
      report(
        name,
        `\`${name.text}\` is both with and without; leave one of them out`,
        'error',
        leaveOut(name),
      );
    else if (!membersOf(name).some((one) => there.has(one)))
      report(name, `\`${kernel}\` has no \`${name.text}\``, 'warning', leaveOut(name));
}

/** A setting with one value is given once. */
function saidOnce({ key, from, to }: Setting, said: Set<string>, report: Report): boolean {
  if (key.text === 'with' || key.text === 'without') return true;
  if (said.has(key.text)) {
    const fix = removed({ from, to }, 'this setting');
    report(key, `\`${key.text}\` is set already`, 'error', fix);
    return false;
  }
  said.add(key.text);
  return true;
}

/** The word of the machine's settings that asks for a deviation. */
function settingOf(body: readonly Statement[], deviation: Deviation): Span {
  const machines = body.filter((statement): statement is Machine => statement.kind === 'machine');
  const words = machines.flatMap(({ settings }) => settings.flatMap(({ values }) => values));
  return words.find(({ text }) => text === deviationId(deviation)) ?? headOf(machines[0]!);
}

/** nonCoherentAtomSize: a power of two. */
function checkAtom(value: Name, report: Report): number | undefined {
  const atom = checkCount(value, ATOM_MAX, 'bytes', report);
  if (atom === undefined || Number.isInteger(Math.log2(atom))) return atom;
  report(value, `an atom is a power of two; ${atom} is none`);
  return undefined;
}

/** A setting must exist and have a value. */
function knownSetting(
  { key, values }: Setting,
  table: Readonly<Record<string, { readonly form: string }>>,
  report: Report,
): boolean {
  if (!Object.hasOwn(table, key.text)) {
    const names = Object.keys(table);
    const list = names.map((name) => `\`${name}\``).join(', ');
    report(
      key,
      `there is no setting \`${key.text}\`${didYouMean(key.text, names) || `; there are ${list}`}`,
      'error',
      respelled(key, names),
    );
    return false;
  }
  if (values.length === 0) {
    report(key, `\`${key.text}\` needs a value: \`${table[key.text]?.form ?? ''}\``);
    return false;
  }
  const unit = /^(mobs|vram)$/.test(key.text) && /^pages?$/.test(values[1]?.text ?? '') ? 1 : 0;
  const extra = values[1 + unit];
  if (extra === undefined || key.text === 'with' || key.text === 'without') return true;
  const more = { from: extra.from, to: values.at(-1)?.to ?? extra.to };
  const fix = removed(more, 'what is behind the value');
  report(extra, `\`${key.text}\` has one value; separate settings with a comma`, 'error', fix);
  return false;
}

function checkWord(
  { from, to, text }: Name,
  what: string,
  known: readonly string[],
  report: Report,
): boolean {
  if (known.includes(text)) return true;
  const guess = didYouMean(text, known);
  const list = known.map((word) => `\`${word}\``).join(', ');
  const help =
    deviationHelp(text) ||
    guess ||
    (known.length > 8 ? '; `coherence variants` lists them' : `; there are ${list}`);
  const fix = respelled({ from, to, text }, known);
  report({ from, to }, `there is no ${what} \`${text}\`${help}`, 'error', fix);
  return false;
}

function checkCount(name: Name, most: number, what: string, report: Report): number | undefined {
  const count = /^(?:[0-9]+|0x[0-9a-fA-F]+)$/.test(name.text) ? Number(name.text) : Number.NaN;
  if (count >= 1 && count <= most) return count;
  const limit = most === Number.MAX_SAFE_INTEGER ? 'from 1 up' : `from 1 to ${most}`;
  report(name, `a number of ${what} ${limit} is needed here`);
  return undefined;
}

function resolveExplore(body: readonly Statement[], report: Report): ScenarioMeaning['explore'] {
  const limits: { bound: number | undefined; states: number | undefined } = {
    bound: undefined,
    states: undefined,
  };
  const once = new Set<string>();
  for (const statement of body.filter((s): s is Explore => s.kind === 'explore'))
    for (const setting of statement.settings) {
      if (!knownSetting(setting, exploreSettings, report)) continue;
      const [value] = setting.values;
      if (value === undefined || !saidOnce(setting, once, report)) continue;
      const name = setting.key.text as keyof typeof limits;
      limits[name] = checkCount(value, Number.MAX_SAFE_INTEGER, name, report);
    }
  return limits;
}

// Surfaces, constants, fences and events: known in the whole scenario.

function declareThings(body: readonly Statement[], scope: Scope, report: Report): SurfaceMeaning[] {
  const surfaces: SurfaceMeaning[] = [];
  for (const statement of body) {
    if (statement.kind === 'const') declareConstant(statement, scope, report);
    else if (statement.kind === 'procedure') declareProcedure(statement, scope, report);
    else if (statement.kind === 'surface') {
      const surface = resolveSurface(statement, surfaces.length, scope, report);
      if (surface === undefined) {
        const { name } = statement;
        if (name !== undefined)
          scope.declare({ kind: 'broken', name: name.text, declared: name }, report);
        continue;
      }
      surfaces.push(surface);
      const declared = { from: surface.from, to: surface.to };
      scope.declare({ kind: 'surface', name: surface.name, declared, surface }, report);
    }
  }
  checkStores(surfaces, report);
  return surfaces;
}

function declareConstant({ name, value }: Const, scope: Scope, report: Report): void {
  if (name === undefined) return;
  const made = resolveValue(value, scope, report);
  if (made !== undefined && made.kind !== 'number')
    report(made, 'a constant must be known before the run');
  const declared = { from: name.from, to: name.to };
  const entity: Entity =
    made?.kind === 'number'
      ? { kind: 'constant', name: name.text, declared, value: made.value, type: made.type }
      : { kind: 'broken', name: name.text, declared };
  scope.declare(entity, report);
}

function declareProcedure(procedure: Procedure, scope: Scope, report: Report): void {
  const { name } = procedure;
  if (name === undefined) return;
  const declared = { from: name.from, to: name.to };
  if (Object.hasOwn(operations, name.text) || Object.hasOwn(commands, name.text))
    report(name, `\`${name.text}\` is a word of the language; choose another name`);
  else
    scope.declare({ kind: 'procedure', name: name.text, declared, procedure, home: scope }, report);
}

/** A family while it is made: its size is known only after the rehearsal. */
type Growing = { -readonly [K in keyof Family]: Family[K] };

interface Families {
  readonly fences: Growing[];
  readonly events: Growing[];
}

/** Fences are named by submissions and events by signals, anywhere; every thread may wait for them. */
function declareFamilies(body: readonly Statement[], scope: Scope, report: Report): Families {
  const families: Families = { fences: [], events: [] };
  const procedures = body.filter((s): s is Procedure => s.kind === 'procedure');
  for (const { kind, path } of namedIn(body, procedures)) {
    const name = baseOf(path);
    if (name === undefined || (path.kind !== 'reference' && path.kind !== 'index')) continue;
    // A name that stands for something else is reported where it is used.
    if (scope.find(name.text) !== undefined) continue;
    const list = kind === 'fence' ? families.fences : families.events;
    const family = { from: name.from, to: name.to, index: list.length, name: name.text, size: 1 };
    list.push(family);
    const declared = { from: name.from, to: name.to };
    const indexed = path.kind === 'index';
    scope.declare({ kind, name: name.text, declared, family, indexed }, report);
  }
  return families;
}

interface Named {
  readonly kind: 'fence' | 'event';
  readonly path: Path;
}

/** The fences and events that statements bring about, those that they give to procedures for it among them. */
function namedIn(
  body: readonly Statement[],
  procedures: readonly Procedure[],
  known = new Map<string, readonly Named[]>(),
): readonly Named[] {
  return operationsOf(body).flatMap(({ verb, target, result, parameters }): Named[] => {
    if (verb.text === 'submit' || verb.text === 'export')
      return result === undefined ? [] : [{ kind: 'fence', path: result }];
    if (verb.text === 'signal')
      return target === undefined ? [] : [{ kind: 'event', path: target }];
    const called = procedures.find(({ name }) => name?.text === verb.text);
    if (called === undefined || parameters === undefined) return [];
    let inner = known.get(verb.text);
    if (inner === undefined) {
      known.set(verb.text, []); // for a procedure that calls itself
      inner = namedIn(called.body?.statements ?? [], procedures, known);
      known.set(verb.text, inner);
    }
    return called.parameters.flatMap(({ text }, i): Named[] => {
      const given = parameters[i];
      const use = inner.find(({ path }) => baseOf(path)?.text === text);
      return use === undefined || given === undefined || !isPath(given)
        ? []
        : [{ kind: use.kind, path: given }];
    });
  });
}

/** All operations in the statements and in the blocks in them, in order; those of procedures only as far as named. */
function operationsOf(body: readonly Statement[], found: Operation[] = []): readonly Operation[] {
  for (const statement of body) {
    switch (statement.kind) {
      case 'operation':
        found.push(statement);
        break;
      case 'procedure': {
        const given = new Set(statement.parameters.map(({ text }) => text));
        const inner = operationsOf(statement.body?.statements ?? []);
        found.push(...inner.filter(({ target, result }) => !isOf(given, result ?? target)));
        break;
      }
      case 'process':
      case 'thread':
      case 'repeat':
        if (statement.body !== undefined) operationsOf(statement.body.statements, found);
        break;
      case 'if': {
        const { then, otherwise } = statement;
        if (then !== undefined) operationsOf(then.statements, found);
        if (otherwise === undefined) break;
        operationsOf('kind' in otherwise ? [otherwise] : otherwise.statements, found);
        break;
      }
    }
  }
  return found;
}

/** Whether a path begins with one of these names. */
function isOf(names: ReadonlySet<string>, path: Path | undefined): boolean {
  const base = path && baseOf(path);
  return base !== undefined && names.has(base.text);
}

// Processes and threads.

interface Surroundings {
  readonly scope: Scope;
  readonly report: Report;
  readonly machine: MachineOptions;
  readonly variables: Variable[];
  readonly families: Families;
  readonly called: Place['called'];
  readonly said: Place['said'];
  readonly judging:
    | { readonly threads: Threads; readonly stands: (judged: JudgedThread) => void }
    | undefined;
}

/** Where statements stand that belong to no thread yet. */
function placeIn(
  process: string,
  { report, variables, families, called, said }: Surroundings,
): Place {
  const newFence = (fence: Name): Entity & { kind: 'fence' } => {
    const { from, to, text } = fence;
    const family = { from, to, index: families.fences.length, name: text, size: 1 };
    families.fences.push(family);
    return { kind: 'fence', name: text, declared: { from, to }, family, indexed: false };
  };
  return {
    process,
    thread: undefined,
    report,
    variables,
    frame: 0,
    calls: [],
    called,
    said,
    newFence,
  };
}

/** So many that none is followed. */
const noCalls = { count: Number.POSITIVE_INFINITY };

/** A procedure is read once without a call, so that what is wrong with it in any case is said where it stands. */
function readProcedure(statement: Procedure, around: Surroundings): void {
  const { scope, said } = around;
  const report: Report = (span, message, severity, fix) => {
    said.add(`${span.from} ${message}`);
    around.report(span, message, severity, fix);
  };
  const inner = scope.procedure(statement);
  for (const { from, to, text } of statement.parameters) {
    const declared = { from, to };
    inner.declare({ kind: 'parameter', name: text, declared, thing: undefined }, report);
  }
  const scratch = { fences: [...around.families.fences], events: around.families.events };
  const place = placeIn('', {
    ...around,
    report,
    variables: [],
    families: scratch,
    called: noCalls,
  });
  resolveBlock(statement.body, inner, { ...place, calls: [statement.name?.text ?? ''] });
}

function resolveProcess(
  statement: Process,
  others: readonly ProcessMeaning[],
  around: Surroundings,
): ProcessMeaning {
  const { scope, report, machine } = around;
  const name = statement.name ?? { from: statement.from, to: statement.from, text: '' };
  const inner = scope.inner(statement);
  const place = placeIn(name.text, around);
  const forks = statement.parent && inherit(statement.parent, others, inner, place);
  const setup: Step[] = [];
  const threads: ThreadMeaning[] = [];
  for (const child of statement.body?.statements ?? []) {
    if (child.kind === 'thread') {
      const thread = resolveThread(child, threads.length, inner, place, around);
      threads.push(thread);
    } else {
      if (threads.length > 0)
        report(
          headOf(child),
          'what a process does itself comes before its threads; move this up, or into a thread',
        );
      setup.push(...resolveStep(child, inner, place));
    }
  }
  const own = statement.cpu && resolveCpu(statement.cpu, machine, report);
  const cpu = own ?? threads[0]?.cpu ?? 0;
  const index = others.length;
  const of = { from: name.from, to: name.to, index, name: name.text, forks, cpu };
  checkExit(setup, threads, report);
  return { ...of, setup, threads };
}

/** A child knows what its parent has named outside of threads, as it was at the fork. */
function inherit(
  parent: Name,
  others: readonly ProcessMeaning[],
  scope: Scope,
  { process, variables, report }: Place,
): Fork | undefined {
  const { from, to, text } = parent;
  if (!others.some(({ name }) => name === text)) {
    const names = others.map(({ name }) => name);
    const entity = scope.find(text);
    const help =
      entity?.kind === 'process' && text !== process
        ? '; put that one in front of this'
        : didYouMean(text, names);
    report(
      { from, to },
      `\`forks\` needs a process that stands above; \`${text}\` does not${help}`,
      'error',
      entity === undefined ? respelled(parent, names) : undefined,
    );
    return undefined;
  }
  scope.use(parent);
  const names = variables
    .filter((v) => v.process === text && v.thread === undefined && v.frame === 0 && v.name !== '')
    .map((of) => {
      const own: Variable = { ...of, slot: variables.length, process };
      variables.push(own);
      const declared = { from: of.from, to: of.to };
      scope.override({ kind: 'variable', name: of.name, declared, variable: own });
      return { of, own };
    });
  return { parent: text, names };
}

/** The end of a process is the end of its thread: with others in it, it would have to be that of theirs. */
function checkExit(
  setup: readonly Step[],
  threads: readonly ThreadMeaning[],
  report: Report,
): void {
  for (const step of stepsIn(setup))
    if (step.kind === 'exit')
      report(step, '`exit` is done by a thread: put it into `thread … { … }`');
  for (const { body } of threads)
    for (const step of stepsIn(body))
      if (step.kind === 'exit' && threads.length > 1)
        report(step, '`exit` ends the whole process, and this one has other threads too');
}

/** Steps with those in their blocks. */
function* stepsIn(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    yield step;
    yield* stepsIn(innerSteps(step));
  }
}

function resolveThread(
  statement: Thread,
  index: number,
  scope: Scope,
  place: Place,
  { machine, judging }: Surroundings,
): ThreadMeaning {
  const name = statement.name ?? { from: statement.from, to: statement.from, text: '' };
  const known = judging?.threads.known(statement);
  if (known === undefined) judging?.threads.resolving(statement);
  declareAgent('thread', name, scope, known === undefined ? place.report : () => {});
  const of = { from: name.from, to: name.to, index, name: name.text };
  if (judging !== undefined && known !== undefined) {
    judging.stands(known);
    const meaning = { ...of, cpu: 0, body: [] };
    judging.threads.stands(meaning, known);
    return meaning;
  }
  const cpu = (statement.cpu && resolveCpu(statement.cpu, machine, place.report)) ?? 0;
  const inner = scope.inner(statement);
  const here = { ...place, thread: name.text };
  const body = resolveSteps(statement.body?.statements ?? [], inner, here);
  const meaning = { ...of, cpu, body };
  judging?.threads.resolved(meaning);
  return meaning;
}

function declareAgent(kind: 'process' | 'thread', name: Name, scope: Scope, report: Report): void {
  if (name.text === '') return;
  const declared = { from: name.from, to: name.to };
  scope.declare({ kind, name: name.text, declared }, report);
}

/** `on cpu1`: the CPU must exist. */
function resolveCpu(name: Name, { cpus }: MachineOptions, report: Report): number {
  const match = /^cpu([0-9]+)$/.exec(name.text);
  const cpu = match === null ? Number.NaN : Number(match[1]);
  if (cpu < cpus) return cpu;
  const there =
    cpus === 1
      ? 'the machine has `cpu0` only'
      : `the machine has \`cpu0\` ${cpus === 2 ? 'and' : 'to'} \`cpu${cpus - 1}\``;
  const more = cpu < CPUS_MAX ? `; say \`cpus ${cpu + 1}\` in \`machine\` for more` : '';
  const fix = replaced(name, `cpu${cpus - 1}`);
  report(name, `there is no \`${name.text}\`: ${there}${more}`, 'error', fix);
  return 0;
}
