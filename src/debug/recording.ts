// A recorded program as the debugger's debuggee: chosen out of a recording, compared beforehand so that the run is first
// looked at where it begins to differ, with names for its processes, mappings and entries.
import { nearest } from '../base/suggest';
import { lineStarts, positionAt } from '../base/text';
import { differenceLines } from '../conform/differences';
import { programsOf, type RecordedProgram } from '../conform/format';
import { operationText } from '../conform/listing';
import { Replayer } from '../conform/replay';
import { or_difference, RecordedRun } from '../conform/run';
import { regionOf } from '../conform/underway';
import { PAGE_SIZE } from '../hardware/pte';
import { type Preset, presets, variantSet, variants } from '../kernel/variants';
import { pteBit } from '../machine/location/values';
import { Locations } from '../machine/locations';
import type { Spot } from '../machine/spots';
import type { VariantSet } from '../routine/routine';
import type { LoggedEvent } from '../state/events';
import { pte } from '../state/layout';
import type {
  Debuggee,
  DebugThread,
  Evaluated,
  Finding,
  Load,
  LoadProblem,
  RunOptions,
  Target,
  Verdict,
  Where,
} from './debuggee';

/** Loads a program of a recording for debugging. */
export const loadRecording: Load = (path, text, options) => {
  const programs = programsOf('', text);
  if (typeof programs === 'string')
    return [{ message: `this is no recording of a kernel${programs}` }];
  const problems = optionProblems(options);
  if (problems.length > 0) return problems;
  const program = chosen(programs, options, problems);
  if (program === undefined || problems.length > 0) return problems;
  return new RecordedDebuggee(path, program, variantsOf(options), options);
};

const defaultKernel: Preset = 'linux-6.1'; // what was recorded

const variantsOf = (options: RunOptions): VariantSet =>
  variantSet((options.kernel as Preset | undefined) ?? defaultKernel, options);

function optionProblems({ kernel, scenario, with: on, without }: RunOptions): LoadProblem[] {
  const problems: string[] = [];
  const kernels = Object.keys(presets);
  if (kernel !== undefined && !kernels.includes(kernel))
    problems.push(`there is no kernel \`${kernel}\`; there are ${kernels.join(' and ')}`);
  const ids = variants.map(({ id }) => id);
  for (const id of [...on, ...without])
    if (!ids.includes(id)) problems.push(`there is no variant \`${id}\`${meant(id, ids)}`);
  if (scenario !== undefined)
    problems.push('a recording has no scenarios; name one of its programs as "recorded"');
  return problems.map((message) => ({ message }));
}

const meant = (word: string, words: readonly string[]): string => {
  const near = nearest(word, words);
  return near === undefined ? '' : `; did you mean \`${near}\`?`;
};

/** The program that is asked for, else the first that comes out otherwise than recorded, else the first of all. */
function chosen(
  programs: readonly RecordedProgram[],
  options: RunOptions,
  problems: LoadProblem[],
): RecordedProgram | undefined {
  const { recorded, operation } = options;
  const names = programs.map(({ program }) => program);
  const program =
    recorded === undefined
      ? (programs.find((p) => firstDifference(p, options) !== undefined) ?? programs[0])
      : (programs.find((p) => p.program === recorded) ?? programs[Number(recorded) - 1]);
  if (program === undefined) {
    const many = `; it has ${programs.length}, from ${names[0]} to ${names.at(-1)}`;
    const hint = typeof recorded === 'string' ? meant(recorded, names) : '';
    problems.push({ message: `the recording has no program \`${recorded}\`${hint || many}` });
  } else if (operation !== undefined && !program.ops.some(({ i }) => i === operation)) {
    const { ops } = program;
    const range = ops.length === 0 ? 'none' : `those from ${ops[0]!.i} to ${ops.at(-1)!.i}`;
    problems.push({
      message: `program \`${program.program}\` has no operation ${operation}; it has ${range}`,
    });
  }
  return program;
}

class RecordedDebuggee implements Debuggee {
  readonly engine;
  readonly name;
  readonly text;
  readonly made;
  readonly threads: readonly DebugThread[];
  readonly schedule;
  readonly target: Target | undefined;
  readonly locations;
  private readonly run: RecordedRun;
  private starts: readonly number[] | undefined;

  constructor(
    readonly path: string,
    private readonly program: RecordedProgram,
    set: VariantSet,
    options: RunOptions,
  ) {
    this.run = new RecordedRun(program, set);
    this.engine = this.run.engine;
    this.name = program.program;
    this.made = `recorded/${program.program}.c`;
    this.text = this.run.listing.text;
    this.schedule = options.schedule ?? [];
    this.threads = this.run.processes.map((process, task) => ({
      task,
      name: `process ${process}`,
    }));
    this.locations = new Locations(this.engine, this);
    this.target = targetOf(program, this.run, options);
  }

  get done(): boolean {
    return this.engine.done;
  }

  get files() {
    return [{ path: this.path, text: this.text }];
  }

  placeAt(offset: number) {
    this.starts ??= lineStarts(this.text);
    return { path: this.path, ...positionAt(this.starts, offset) };
  }

  /** A local or a static by its name, an entry as `pte(m0, 3)`, or one of these compared with a number. */
  evaluate(expression: string, where: Where): Evaluated {
    const form = formOf(expression);
    if (form === undefined) return { error: wrongForm };
    const { name, entry, compared } = form;
    if (compared !== undefined) {
      const value = name === undefined ? this.entryValue(entry!, where) : where.lookup(name);
      if (typeof value === 'boolean' || typeof value === 'number')
        return { value: compared(Number(value)) };
      return { error: `there is no number ${expression.trim().split(/[\s=!<>]/, 1)[0]} here` };
    }
    const direct = name === undefined ? undefined : where.lookup(name);
    if (direct !== undefined) return { value: direct };
    if (entry !== undefined) {
      const value = this.entryValue(entry, where);
      return typeof value === 'object' && 'error' in value ? value : { value };
    }
    const fixed = this.engine.objects.allStatics.find((known) => known.name === name);
    return fixed === undefined ? { error: `there is no ${name} here` } : { value: fixed };
  }

  /** What an entry holds: a bit of it as a number, of the others what is shown. */
  private entryValue(entry: EntryForm, where: Where): number | string | Spot | { error: string } {
    const { m, page, of, bit } = entry;
    const at =
      of === 'pte' && bit === undefined
        ? this.run.underway.entryOf(this.processOf(where.task), m, page)
        : undefined;
    if (at !== undefined) return { field: pte, at };
    const found = this.located(entry, where);
    const location = 'id' in found ? this.locations.at(found.id) : found.error;
    if (typeof location === 'string') return { error: location };
    if (bit !== undefined) return Number(location.text());
    return location.find().at.length === 0
      ? { error: 'there is no page table for this page yet' }
      : location.text();
  }

  locate(expression: string, where: Where) {
    const { entry, compared } = formOf(expression) ?? {};
    if (entry === undefined || compared !== undefined) return { error: onlyEntries };
    return this.located(entry, where);
  }

  private located({ m, page, of, cpu, bit }: EntryForm, where: Where): Located {
    const process = this.processOf(where.task);
    const at = this.run.underway.pageAddress(process, m, page);
    if (at === undefined) return { error: `nothing is mapped as m${m} yet` };
    const address = `0x${at.toString(16)}`;
    const id =
      cpu === undefined ? `${of}:process%20${process}:${address}` : `tlb:${cpu}:${address}`;
    return { id: bit === undefined ? id : `${id}:${bit}` };
  }

  check(expression: string): string | undefined {
    return formOf(expression) === undefined ? wrongForm : undefined;
  }

  finding({ name, args }: LoggedEvent): Finding | undefined {
    if (name === or_difference.name) {
      const number = Number(args.operation);
      const lines = differenceLines(this.run.differences(number));
      return { message: told(this.program, number, lines), causes: [] };
    }
    const { message } = args;
    return typeof message === 'string' ? { message, causes: [] } : undefined;
  }

  describe(address: number, task: number): string | undefined {
    const p = this.processOf(task);
    for (const at of this.engine.objects.all('vm_area_struct')) {
      const vma = this.engine.view('vm_area_struct', at);
      const { pid } = vma.vm_mm;
      if (pid !== p + 1 || address < vma.vm_start || address >= vma.vm_end) continue;
      const page = Math.floor((address - vma.vm_start) / PAGE_SIZE) + vma.vm_pgoff;
      return `page ${page - this.program.base} in m${regionOf(address)}`;
    }
    return undefined;
  }

  absent(): readonly string[] {
    return [];
  }

  nameOf(struct: string, at: number): string | undefined {
    const { engine } = this;
    if (struct === 'mm_struct') return `process ${engine.view('mm_struct', at).pid - 1}`;
    if (struct !== 'vm_area_struct') return undefined;
    const { vm_start } = engine.view('vm_area_struct', at);
    return vm_start === 0 ? undefined : `m${regionOf(vm_start)}`;
  }

  verdict(): Verdict {
    const { run, program } = this;
    const different = [...new Set(run.different)];
    const lines = different.flatMap((number) =>
      told(program, number, differenceLines(run.differences(number))).split('\n'),
    );
    const over = `${run.over} of ${program.ops.length} operations compared`;
    const exitCode = different.length > 0 ? 1 : this.done ? 0 : 3;
    return { lines: [...lines, `${this.name}: ${over}, ${different.length} differ`], exitCode };
  }

  private processOf(task: number): number {
    return this.run.processes[task] ?? 0;
  }
}

/** Where a program first comes out otherwise, and how. */
function firstDifference(program: RecordedProgram, options: RunOptions) {
  const { kernel = defaultKernel, with: on, without } = options;
  const replayer = new Replayer({ preset: kernel as Preset, with: on, without });
  const { passed, failed, unsupported } = replayer.replay(program);
  if (failed === undefined) return undefined;
  const lines =
    unsupported === undefined
      ? differenceLines(failed.differences)
      : ['this operation cannot be replayed'];
  return { number: passed, lines };
}

/** Where to look first: the operation asked for, else the first that comes out otherwise. */
function targetOf(program: RecordedProgram, run: RecordedRun, options: RunOptions) {
  const { ops } = program;
  const asked = options.operation;
  const first = firstDifference(program, options);
  const number = asked === undefined ? first?.number : ops.findIndex(({ i }) => i === asked);
  const op = number === undefined ? undefined : ops[number];
  if (number === undefined || op === undefined) return undefined;
  const wrong = number === first?.number;
  return {
    reached: () => run.over === number,
    task: run.processes.indexOf(op.p ?? 0),
    title: `Before operation ${op.i}${wrong ? ', the first that differs' : ''}`,
    text: wrong ? told(program, number, first!.lines) : '',
    wrong,
  };
}

/** An operation and how it comes out otherwise than recorded. */
function told({ ops, pages }: RecordedProgram, number: number, lines: readonly string[]): string {
  const op = ops[number]!;
  const what = `Operation ${op.i}, ${operationText(op, pages)}, comes out otherwise than recorded`;
  return [`${what}:`, ...lines.map((line) => `  ${line}`)].join('\n');
}

/** What is understood of an expression. */
interface Form {
  readonly name?: string;
  readonly entry?: EntryForm;
  readonly compared?: (value: number) => boolean;
}

/** The entry of a page of a mapping: of a level of the tables, or of the TLB of a CPU. */
interface EntryForm {
  readonly of: string;
  readonly cpu: number | undefined;
  readonly m: number;
  readonly page: number;
  readonly bit: string | undefined;
}

type Located = { readonly id: string } | { readonly error: string };

const wrongForm =
  'in a recording an expression is a name, an entry such as pte(m0, 3), pmd(m0, 3) or tlb(cpu0, m0, 3), a bit such as pte(m0, 3).dirty, or one of these compared with a number';

const onlyEntries =
  'of a recording entries are watched and changed, such as pte(m0, 3), pte(m0, 3).dirty, pmd(m0, 3) or tlb(cpu0, m0, 3), and what variables show; it has no surfaces, fences or counters';

const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function formOf(expression: string): Form | undefined {
  const text = expression.trim();
  if (/^[a-z_]\w*$/i.test(text)) return { name: text };
  const entry = entryFormOf(text);
  if (entry !== undefined) return { entry };
  const [, left = '', sign, right] =
    /^(.*?)\s*([=!]=|[<>]=?)\s*(0x[\da-f]+|\d+)$/i.exec(text) ?? [];
  const of = /^[a-z_]\w*$/i.test(left) ? { name: left } : { entry: entryFormOf(left) };
  if (of.name === undefined && of.entry === undefined) return undefined;
  const holds = comparisons[sign!]!;
  return { ...of, compared: (value) => holds(value, Number(right)) } as Form;
}

function entryFormOf(text: string): EntryForm | undefined {
  const [, level, cpu, m, page, bit] =
    /^(?:(pte|pmd|pud|pgd)\(|tlb\(\s*cpu(\d)\s*,)\s*m(\d{1,4})\s*,\s*(\d{1,9})\s*\)(?:\.(\w+))?$/.exec(
      text,
    ) ?? [];
  if (page === undefined || (cpu !== undefined && bit !== undefined)) return undefined;
  const word = bit === undefined ? undefined : pteBit(bit);
  if (bit !== undefined && word === undefined) return undefined;
  const of = level ?? 'tlb';
  return {
    of,
    cpu: cpu === undefined ? undefined : Number(cpu),
    m: Number(m),
    page: Number(page),
    bit: word,
  };
}
