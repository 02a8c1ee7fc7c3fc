// A page fault explained: what was accessed, what the tables and TLBs held, which way the kernel takes and why, and
// what came of it. Plain data, made by debug/faults.ts; the words around it, as a tree and as text, are made here for
// the debugger, the command line and the panels alike.
import { type CachedEntry, hex, inWords, type Level } from './snapshot';

/** One fault. What it says of memory is what stood there when the exception was raised. */
export interface Fault {
  readonly id: string; // 'fault 3': event 3 of the log
  readonly step: number;
  readonly thread: string;
  readonly kind: 'Read' | 'Write' | 'Write-protect';
  readonly access: FaultAccess;
  readonly address: number;
  readonly place: string | null; // 'page 0 of p (ring)'
  readonly mapping: FaultMapping | null;
  readonly around: string; // where there is no mapping: what ends below the address and begins above it
  readonly walk: readonly WalkLevel[];
  readonly tlb: readonly (CachedEntry & { readonly cpu: number })[];
  readonly byTlb: boolean; // a cached translation denied the access, without a walk; the fault dropped it
  readonly code: number;
  readonly bits: readonly CodeBit[];
  readonly branch: FaultBranch;
  readonly course: FaultCourse;
}

export interface FaultAccess {
  readonly kind: 'load' | 'store';
  readonly bytes: number | null;
  readonly cpu: number;
  readonly by: string | null; // the kernel's routine that made it; null: user mode
  readonly statement: FaultStatement | null;
}

/** The statement of the scenario; lines from 1. */
export interface FaultStatement {
  readonly file: string | null; // where it is in a file that the scenario imports
  readonly line: number;
  readonly text: string;
}

/** The VMA. `flags` as in /proc/PID/maps, `smaps` as VmFlags in /proc/PID/smaps, `offset` in pages. */
export interface FaultMapping {
  readonly start: number;
  readonly end: number;
  readonly flags: string;
  readonly smaps: string;
  readonly offset: number;
  readonly backing: string; // 'page 3 of ring, which has 8 pages'
}

/** One entry that a walk reads, and what it does to the access. */
export interface WalkLevel {
  readonly level: Level;
  readonly index: number;
  readonly raw: string;
  readonly bits: readonly string[];
  readonly pfn: number;
  readonly verdict: 'on' | 'stops' | 'grants';
  readonly reason: string;
}

/** A bit of the error code with what it says as it is. */
export interface CodeBit {
  readonly name: string;
  readonly set: boolean;
  readonly meaning: string;
}

/** The routines that the kernel goes through up to where a callback decides, and what they decide by. */
export interface FaultBranch {
  readonly path: readonly string[];
  readonly why: readonly string[];
  /** How the exception ends, where that is known before. */
  readonly result: string | null;
}

/** What was seen of the fault up to now. `end` is null while it goes on. */
export interface FaultCourse {
  readonly attempts: readonly FaultAttempt[];
  readonly end: FaultEnd | null;
}

/** One call of handle_mm_fault(): the routines that decided, and VM_FAULT_ codes by name; null while it goes on. */
export interface FaultAttempt {
  readonly path: readonly string[];
  readonly returned: string | null;
}

export interface FaultEnd {
  readonly step: number;
  readonly result: string;
  readonly counted: 'minor' | 'major' | null;
  readonly before: string; // the entry at which a walk ends
  readonly after: string;
  readonly asPredicted: boolean;
}

/** A line about a fault, with what there is to say beneath it. */
export interface FaultPart {
  readonly label: string;
  readonly value: string;
  readonly verdict?: WalkLevel['verdict'];
  readonly children: readonly FaultPart[];
}

/** What kind of fault, and where. */
export const faultTitle = ({ kind, place, address }: Fault): string =>
  `${kind} fault at ${place ?? hex(address)}`;

/** In a sentence or two, for a line of a debugger: the access, what stopped it, where the kernel goes next. */
export function faultSummary(fault: Fault): string {
  const { thread, access, address, place, branch } = fault;
  const where = place === null ? hex(address) : `${place} (${hex(address)})`;
  const stopped = fault.byTlb
    ? `a cached translation denied it, and a walk now ${walkText(fault)}`
    : `the walk ${walkText(fault)}`;
  const who = `${thread} on cpu${access.cpu}${access.by === null ? '' : `, in ${access.by},`}`;
  const did = access.kind === 'store' ? 'stored to' : 'loaded from';
  const result = branch.result === null ? '' : `, ${branch.result}`;
  const why = branch.why.join(', ');
  return (
    `${who} ${did} ${where}; ${stopped}. ` +
    `Next: ${pathText(branch.path)}${result}, because ${why}.`
  );
}

/** The explanation as a tree of lines. */
export function faultParts(fault: Fault): FaultPart[] {
  const { address, place, branch, course, walk, code, bits } = fault;
  const set = bits.map(({ name, set }) => `${name}=${Number(set)}`);
  return [
    part('access', accessText(fault)),
    part('address', place === null ? hex(address) : `${hex(address)}, ${place}`),
    mappingPart(fault),
    part(
      'walk',
      walkText(fault),
      walk.map((level) => levelPart(level)),
    ),
    part('TLB', tlbText(fault)),
    part(
      'code',
      `${code}: ${set.join(' ')}`,
      bits.map(({ meaning }, i) => part(set[i]!, meaning)),
    ),
    part(
      'path',
      [pathText(branch.path), ...(branch.result === null ? [] : [branch.result])].join(': '),
      branch.why.map((why) => part('because', why)),
    ),
    coursePart(course),
  ];
}

/** The explanation as text, a title and then a paragraph for each part. */
export function faultText(fault: Fault): string[] {
  const { thread, access, step } = fault;
  const lines = [`${faultTitle(fault)}: ${thread} on cpu${access.cpu}, step ${step}`];
  for (const { label, value, children } of faultParts(fault)) {
    lines.push(`  ${label.padEnd(labelWidth)}${value}`);
    const indent = ' '.repeat(labelWidth + 2);
    for (const below of children) lines.push(`${indent}${below.label}: ${below.value}`);
  }
  return lines;
}

const labelWidth = 'address  '.length;

const part = (label: string, value: string, children: readonly FaultPart[] = []): FaultPart => ({
  label,
  value,
  children,
});

const pathText = (path: readonly string[]): string => path.join(' → ');

function accessText({ access: { kind, bytes, by, cpu, statement } }: Fault): string {
  const size = bytes === null ? '' : ` of ${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
  const mode = by === null ? 'user mode' : `the kernel, in ${by}`;
  const file = statement?.file == null ? '' : ` of ${statement.file}`;
  const where = statement === null ? '' : `; line ${statement.line}${file}: ${statement.text}`;
  return `${kind}${size} by ${mode} on cpu${cpu}${where}`;
}

function mappingPart({ mapping, around }: Fault): FaultPart {
  if (mapping === null) return part('mapping', `none: ${around}`);
  const { start, end, flags, smaps, offset, backing } = mapping;
  return part('mapping', `${hex(start)}-${hex(end)} ${flags}`, [
    part('VmFlags', smaps),
    part('offset', `from page ${offset} of the file; the address is ${backing}`),
  ]);
}

const entryName = ({ level, index }: WalkLevel): string => `${level}[${index}]`;

/** Where a walk ends, after `the walk`. */
function walkText({ walk }: Fault): string {
  const last = walk.at(-1);
  if (last === undefined) return 'finds no tables in CR3';
  const how = last.verdict === 'grants' ? 'is granted by' : 'stops at';
  return `${how} ${entryName(last)}: ${last.reason}`;
}

function levelPart(level: WalkLevel): FaultPart {
  const { raw, bits, pfn, verdict, reason } = level;
  const entry = raw === '0' ? 'none' : `${bits.join(' ')}, frame ${hex(pfn)} (0x${raw})`;
  const does = { on: 'goes on', stops: 'stops', grants: 'grants' }[verdict];
  return { label: entryName(level), value: `${entry}: ${does}, ${reason}`, verdict, children: [] };
}

const standings = {
  same: 'as memory',
  behind: 'less than memory grants',
  stale: 'stale: more than memory grants',
} as const;

function tlbText({ tlb, access, byTlb }: Fault): string {
  const own = tlb.some(({ cpu }) => cpu === access.cpu) ? [] : [`cpu${access.cpu} holds nothing`];
  const held = tlb.map(
    ({ cpu, letters, pfn, standing }) =>
      `cpu${cpu} holds ${inWords(letters)}, frame ${hex(pfn)} (${standings[standing]})`,
  );
  const denied = byTlb ? ['a translation it held denied the access and went with the fault'] : [];
  return [...own, ...denied, ...held].join('; ');
}

function coursePart({ attempts, end }: FaultCourse): FaultPart {
  const went = attempts.map(({ path, returned }, i) =>
    part(
      i === 0 ? 'went' : 'retried',
      `${pathText(path)}${returned === null ? '' : `: ${returned}`}`,
    ),
  );
  if (end === null) return part('outcome', 'not over yet', went);
  const { result, counted, before, after, asPredicted } = end;
  const kinds = counted === null ? [] : [`a ${counted} fault`];
  const retries = attempts.length > 1 ? [`${attempts.length - 1} retried`] : [];
  return part('outcome', [result, ...kinds, ...retries].join(', '), [
    ...went,
    part('entry', before === after ? `${before}, as before` : `${before} → ${after}`),
    ...(asPredicted ? [] : [part('otherwise than predicted', 'others came in between')]),
  ]);
}
