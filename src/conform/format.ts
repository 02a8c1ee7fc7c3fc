// Recordings of a real kernel: JSON lines, a header, then programs of operations with the complete state after each.
// A recording's words are kept as they are: `p` process, `m` mapping (its region), `page` counted from the object's first.

/** A new program: an object of zeroed pages and process 0, which maps nothing. */
export interface ProgramLine {
  readonly program: string;
  readonly pages: number;
  readonly kind: Kind;
  readonly prefault: number;
  readonly base: number; // vm_pgoff of the object's first page
}

/** How pages get into the tables: bare frames, bare frames of a VM_MIXEDMAP mapping, ordinary pages. */
export type Kind = 'pfn' | 'mixed' | 'page';

/** A half-open run of pages or bits. */
export type Run = readonly [first: number, end: number];

/** A callback into the driver. */
export interface Callback {
  readonly cb: 'fault' | 'pfn_mkwrite' | 'page_mkwrite';
  readonly p: number;
  readonly m: number;
  readonly page: number;
  readonly fl: string;
  readonly ret: string;
  readonly ins?: number;
  readonly mark?: number;
}

/** The tracker of dirty pages. */
export interface Dirty {
  readonly users: number;
  readonly method: 'pagetable' | 'mkwrite';
  readonly cc: number;
  readonly start: number;
  readonly end: number;
  readonly bits: readonly Run[];
}

/** A mapping of the object; the list of them is in the order of the interval tree. */
export interface Mapping {
  readonly p: number;
  readonly m: number;
  readonly page: number;
  readonly n: number;
  readonly va: number; // pages from the beginning of the region
  readonly fl: string;
  readonly pp: string;
  readonly pte: Readonly<Record<string, string>>;
}

/** What an operation returned, and everything there is after it. */
export interface Outcome {
  readonly ret?: number;
  readonly err?: string;
  readonly sig?: string;
  readonly code?: number;
  readonly flt?: readonly [minor: number, major: number] | null;
  readonly value?: number;
  readonly rstart?: number;
  readonly rend?: number;
  readonly got?: readonly Run[];
  readonly map?: readonly string[];
  readonly cb: readonly Callback[];
  readonly dirty: Dirty | null;
  readonly pgdirty: readonly Run[];
  readonly vmas: readonly Mapping[];
}

/** Operation number `i` of its program, with its arguments. */
export interface Operation extends Outcome {
  readonly i: number;
  readonly op: string;
  readonly p?: number;
  readonly m?: number;
  readonly page?: number;
  readonly n?: number;
  readonly at?: number;
  readonly share?: 'shared' | 'private' | 'ro';
  readonly prot?: string;
  readonly to?: number;
  readonly val?: number;
  readonly child?: number;
  readonly cows?: number;
  readonly method?: string;
  readonly advice?: string;
  readonly bit0?: number;
  readonly start?: number;
  readonly end?: number;
  readonly first?: string;
  readonly then?: string;
}

export interface RecordedProgram extends ProgramLine {
  readonly ops: readonly Operation[];
}

export const outcomeKeys = [
  'ret',
  'err',
  'sig',
  'code',
  'flt',
  'value',
  'rstart',
  'rend',
  'got',
  'map',
  'cb',
  'dirty',
  'pgdirty',
  'vmas',
] as const satisfies readonly (keyof Outcome)[];

/** Whether a file is a recording, by its name. */
export const isRecording = (path: string): boolean => /\.jsonl(\.gz)?$/i.test(path);

/** Whether bytes are compressed by gzip. */
export const isPacked = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

export const cannotUnpack = 'it is compressed, but cannot be unpacked';

/** Bytes of a recording, unpacked. */
export const recordingMax = 64 * 1024 * 1024;

/** The programs of a recording, or one sentence that says why it is none. */
export function programsOf(path: string, text: string): RecordedProgram[] | string {
  try {
    return parseRecording(text);
  } catch (error) {
    return `${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The programs of a recording. Throws with the line's number where it is not one. */
export function parseRecording(text: string): RecordedProgram[] {
  const programs: (ProgramLine & { ops: Operation[] })[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const where = `line ${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new Error(`${where} is not JSON`);
    }
    if (typeof value !== 'object' || value === null) throw new Error(`${where} is not an object`);
    if ('program' in value) {
      const wrong = wrongProgram(value as ProgramLine);
      if (wrong !== undefined) throw new Error(`${where}: ${wrong}`);
      programs.push({ ...(value as ProgramLine), ops: [] });
    } else if ('op' in value) {
      const wrong = wrongOperation(value as Operation);
      if (wrong !== undefined) throw new Error(`${where}: ${wrong}`);
      const program = programs.at(-1);
      if (program === undefined) throw new Error(`${where} is an operation before any program`);
      program.ops.push(value as Operation);
    } else if (!('kernel' in value)) {
      throw new Error(`${where} is neither a header, a program nor an operation`);
    }
  });
  if (programs.length === 0) throw new Error('the recording has no programs');
  return programs;
}

const pagesMax = 1 << 16;
const isCount = (value: unknown, max = 2 ** 31): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < max;

/** What a program's line lacks, if anything. */
function wrongProgram({ program, pages, kind, prefault, base }: ProgramLine): string | undefined {
  if (typeof program !== 'string') return `a program's name is a text`;
  if (!isCount(pages, pagesMax) || pages === 0)
    return `"pages" is a number from 1 to ${pagesMax - 1}`;
  if (!['pfn', 'mixed', 'page'].includes(kind)) return `"kind" is pfn, mixed or page`;
  if (!isCount(prefault) || prefault === 0) return `"prefault" is a number from 1`;
  if (!isCount(base)) return `"base" is a number`;
  return undefined;
}

const numbers = [
  'p',
  'm',
  'page',
  'n',
  'at',
  'to',
  'val',
  'child',
  'cows',
  'bit0',
  'start',
  'end',
] as const;

/** Arguments that are words, and which there are. */
const words = [
  ['share', /^(shared|private|ro)$/, 'shared, private or ro'],
  ['prot', /^(none|[rwx]+)$/, 'none, or of the letters r, w and x'],
  ['method', /^(auto|pagetable|mkwrite)$/, 'auto, pagetable or mkwrite'],
  ['advice', /^\w+$/, 'a word'],
  ['first', /^(read|write)$/, 'read or write'],
  ['then', /^(read|write)$/, 'read or write'],
] as const;

/** All that a line says of an operation, its outcome included. */
export const operationKeys: ReadonlySet<string> = new Set([
  ...['i', 'op', ...numbers, ...outcomeKeys],
  ...words.map(([key]) => key),
]);

const processesMax = 64;
const regionsMax = 1024;

/** What an operation's line lacks, if anything. */
function wrongOperation(line: Operation): string | undefined {
  if (typeof line.op !== 'string' || !isCount(line.i)) return `"op" is a text and "i" a number`;
  const wrong = numbers.find((key) => line[key] !== undefined && !isCount(line[key]));
  if (wrong !== undefined) return `"${wrong}" is a number`;
  for (const [key, form, meant] of words) {
    const word: unknown = line[key];
    if (word !== undefined && !(typeof word === 'string' && form.test(word)))
      return `"${key}" is ${meant}`;
  }
  const processes = Math.max(line.p ?? 0, line.child ?? 0);
  if (processes >= processesMax) return `there are at most ${processesMax} processes`;
  if (Math.max(line.m ?? 0, line.to ?? 0) >= regionsMax)
    return `there are at most ${regionsMax} mappings`;
  if (!Array.isArray(line.cb) || !Array.isArray(line.vmas)) return `"cb" and "vmas" are lists`;
  return undefined;
}
