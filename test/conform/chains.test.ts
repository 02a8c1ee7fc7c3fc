// The emulated kernel goes through the functions that Linux 6.1 goes through, in the same order and nesting: twenty
// operations that function_graph recorded.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Operation, RecordedProgram } from '../../src/conform/format';
import { Replayer } from '../../src/conform/replay';
import {
  type Call,
  difference,
  emulatedChain,
  folded,
  inlined,
  leftOut,
  namesIn,
  parseChain,
  rootsOf,
} from './chains';

type Did = Partial<Operation>;

/** One process in which the object is mapped twice; its table has an entry far from those that matter. */
const twice: Did[] = [
  { op: 'mmap', m: 0 },
  { op: 'mmap', m: 1 },
  { op: 'read', m: 0, page: 7 },
];
const read = (page: number, m = 0): Did => ({ op: 'read', m, page });
const write = (page: number, m = 0): Did => ({ op: 'write', m, page, val: 1 });
const add = (method: string): Did => ({ op: 'dirty_add', method });

/** What had been done before, and the process that the module's own operations were asked for by. */
interface Before {
  readonly before: readonly Did[];
  readonly p?: number;
  /** Which of the recorded roots are about the object; the recorder's process maps and touches more than that. */
  readonly own?: (root: Call, i: number) => boolean;
}

/** Roots that call functions whose names begin so. */
const calls =
  (...starts: string[]) =>
  (root: Call): boolean =>
    starts.every((start) => namesIn([root]).some((name) => name.startsWith(start)));

const chains: Readonly<Record<string, Before>> = {
  'pfn-read-fault-absent': { before: twice },
  'pfn-write-fault-absent-pagetable': { before: twice },
  'pfn-write-fault-absent-mkwrite': { before: [...twice, add('mkwrite')] },
  'pfn-wp-fault-mkwrite': { before: [...twice, add('mkwrite'), read(1)] },
  'mixed-read-fault-absent': { before: twice },
  'mixed-wp-fault-after-clear-refs': {
    before: [...twice, write(1), { op: 'clear_refs', val: 4 }],
    own: calls('or_'),
  },
  'mixed-clear-refs-4': { before: [...twice, write(1)], own: (_root, i) => i === 0 },
  'page-read-fault-absent': { before: twice },
  'page-write-fault-absent': { before: twice },
  'page-wp-fault-mkwrite': { before: [...twice, read(0)] },
  'private-cow-fault': {
    before: [{ op: 'mmap' }, { op: 'mmap', m: 1, share: 'private' }, read(2, 1)],
  },
  'wp-shared-mapping-range': { before: [...twice, write(1), write(2), write(1, 1)], p: 1 },
  'wp-shared-mapping-range-nothing-to-do': {
    before: [...twice, add('mkwrite'), read(1), read(1, 1)],
    p: 1,
  },
  'clean-record-shared-mapping-range': { before: [...twice, write(1), write(1, 1)], p: 1 },
  'scan-mkwrite': {
    before: [...twice, add('mkwrite'), write(1), write(6), { op: 'scan' }, read(1, 1), write(1)],
    p: 1,
  },
  'unmap-mapping-range': {
    before: [...twice, write(1), write(2), write(1, 1)],
    p: 1,
    own: calls('vma_interval_tree'),
  },
  'fork-copy-page-range': {
    before: [...twice, write(1), write(1, 1)],
    own: calls('track_pfn', 'vm_normal_page'),
  },
  'mprotect-to-read': { before: [...twice, write(1), { op: 'wrprotect' }] },
  'mprotect-to-read-write': {
    before: [...twice, write(1), { op: 'mprotect', page: 0, n: 8, prot: 'r' }],
  },
  munmap: { before: [...twice, read(1, 1)] },
};

const recorded = (name: string) =>
  parseChain(readFileSync(new URL(`chains/${name}.txt`, import.meta.url), 'utf8'));

const replayer = new Replayer();
const everyRecorded = new Set(Object.keys(chains).flatMap((name) => namesIn(recorded(name).calls)));

/** Both chains of an operation, and what it came to. */
function both(name: string) {
  const { kind, operation, calls } = recorded(name);
  const { before, p, own = () => true } = chains[name]!;
  const ops = [...before, { ...(p === undefined ? {} : { p }), ...operation }].map(
    (op, i) => ({ i, cb: [], dirty: null, pgdirty: [], vmas: [], ...op }) as unknown as Operation,
  );
  const program: RecordedProgram = { program: name, pages: 8, kind, prefault: 1, base: 16, ops };
  const emulated = emulatedChain(replayer, program, everyRecorded);
  const roots = new Set(calls.map((c) => c.name));
  return {
    operation,
    outcome: emulated.outcome,
    recorded: calls.filter(own),
    emulated: rootsOf(emulated.calls, roots),
  };
}

for (const name of Object.keys(chains)) {
  test(`${name}: the same functions in the same order and nesting as recorded`, () => {
    const { operation, outcome, recorded, emulated } = both(name);
    expect({ ...operation, ...outcome }).toMatchObject(operation);
    expect(difference(recorded, emulated)).toBeUndefined();
  });
}

test('every recorded operation is compared', () => {
  const files = readdirSync(new URL('chains', import.meta.url)).map((f) => f.replace('.txt', ''));
  expect(Object.keys(chains).sort()).toEqual(files.sort());
});

test('both have 76 functions; what the tables name is met, in one of the two only', () => {
  const everyEmulated = new Set(Object.keys(chains).flatMap((n) => namesIn(both(n).emulated)));
  const onlyIn = (one: ReadonlySet<string>, other: ReadonlySet<string>, names: object) =>
    Object.keys(names).filter((name) => !one.has(name) || other.has(name));
  expect(onlyIn(everyRecorded, everyEmulated, { ...leftOut, ...folded })).toEqual([]);
  expect(onlyIn(everyEmulated, everyRecorded, inlined)).toEqual([]);
  const common = [...everyEmulated].filter((name) => everyRecorded.has(name));
  expect(common.length).toBe(76);
});

const faultText = readFileSync(new URL('chains/pfn-wp-fault-mkwrite.txt', import.meta.url), 'utf8');

/** The emulated chain of a write fault against a recording that was changed. */
function against(change: (text: string) => string): string | undefined {
  return difference(parseChain(change(faultText)).calls, both('pfn-wp-fault-mkwrite').emulated);
}

test('a chain with another order, another nesting, a function too many or too few is refused', () => {
  const line = (name: string) => new RegExp(`^ *${name}\\(\\);\n`, 'm');
  expect(against((text) => text)).toBeUndefined();
  expect(
    against((text) => text.replace(/( *vm_normal_page\(\);\n)( *_raw_spin_unlock\(\);\n)/, '$2$1')),
  ).toMatch(/do_wp_page\n {6}_raw_spin_unlock\n {6}vm_normal_page\n/);
  expect(against((text) => text.replace(line('vm_normal_page'), ''))).toBeDefined();
  expect(against((text) => text.replace('vm_normal_page', 'vm_special_page'))).toBeDefined();
  expect(
    against((text) =>
      text.replace(/^ *finish_mkwrite_fault\(\) \{\n/m, '').replace(/^ *\} \/\* finish_.*\n/m, ''),
    ),
  ).toBeDefined();
});

test('a difference shows both chains', () => {
  const chain = (last: string) => `handle_mm_fault
  __handle_mm_fault
    _raw_spin_lock
    do_wp_page
      vm_normal_page
      _raw_spin_unlock
      or_pfn_mkwrite
        or_mkwrite
          mutex_lock
          log_event
          mutex_unlock
      finish_mkwrite_fault
        _raw_spin_lock
${last}        _raw_spin_unlock
`;
  expect(against((text) => text.replace(/^ *ptep_set_access_flags\(\);\n/m, ''))).toBe(
    `recorded:\n${chain('')}emulated:\n${chain('        ptep_set_access_flags\n')}`,
  );
});
