// What must hold of memory management whatever is done to it, after every operation of programs that nobody recorded.
import { expect, test } from 'vitest';
import type { RecordedProgram } from '../../src/conform/format';
import { operation } from '../../src/conform/operations';
import { Replayer } from '../../src/conform/replay';
import { cached } from '../../src/debug/entries';
import { _PAGE_PRESENT, _PAGE_PROTNONE, _PAGE_RW, pte_pfn } from '../../src/hardware/pte';
import {
  PG_anon,
  PG_anon_exclusive,
  VM_ACCESS_FLAGS,
  VM_SHARED,
  VM_WRITE,
} from '../../src/kernel/include/linux/mm';
import type { Engine } from '../../src/routine/engine';
import { isNull, type Structs } from '../../src/state/layout';
import { programOf, randomProgram } from './programs';

type Vma = Structs['vm_area_struct'];

/** A present entry, with the address it maps. */
interface Leaf {
  readonly address: number;
  readonly lo: number;
  readonly pfn: number;
}

function* leavesOf(k: Engine, table: number, level = 0, address = 0): Generator<Leaf> {
  for (let index = 0; index < 512; index++) {
    const at = k.parts.memory.entryAt(table, index);
    const entry = { lo: k.store.peek(at), hi: k.store.peek(at + 1) };
    if (entry.lo === 0 && entry.hi === 0) continue;
    const first = address + index * 2 ** (39 - 9 * level);
    const pfn = pte_pfn(entry);
    if (level < 3) yield* leavesOf(k, pfn, level + 1, first);
    else yield { address: first, lo: entry.lo, pfn };
  }
}

/** What is wrong between mappings, trees, tables and pages as they stand. */
function inconsistencies(k: Engine): string[] {
  const wrong: string[] = [];
  const unless = (holds: boolean, message: () => string) => {
    if (!holds) wrong.push(message());
  };
  const mapcounts = new Map<number, number>();
  const vmas: Vma[] = [];
  for (const at of k.objects.all('mm_struct')) {
    const mm = k.view('mm_struct', at);
    const own: Vma[] = [];
    for (let vma = mm.mmap; !isNull(vma); vma = vma.vm_next) {
      unless(vma.vm_start < vma.vm_end, () => 'an empty mapping');
      unless(vma.vm_start >= (own.at(-1)?.vm_end ?? 0), () => 'mappings that overlap');
      own.push(vma);
    }
    vmas.push(...own);
    unless(own.length === mm.map_count, () => `map_count ${mm.map_count} of ${own.length}`);
    unless(mm.tlb_flush_pending === 0, () => 'a flush that is pending for ever');
    for (const leaf of leavesOf(k, mm.pgd)) {
      const vma = own.find((v) => v.vm_start <= leaf.address && leaf.address < v.vm_end);
      const where = `the entry of 0x${leaf.address.toString(16)}`;
      if (vma === undefined) {
        wrong.push(`${where} belongs to no mapping`);
        continue;
      }
      const { vm_flags } = vma;
      const page = k.view('page', k.parts.memory.pageOfPfn(leaf.pfn));
      const present = (leaf.lo & _PAGE_PRESENT) !== 0;
      unless(present !== ((leaf.lo & _PAGE_PROTNONE) !== 0), () => `${where} is neither`);
      unless(present === ((vm_flags & VM_ACCESS_FLAGS) !== 0), () => `${where}: PROT_NONE or not`);
      const writable = (leaf.lo & _PAGE_RW) !== 0;
      unless(!writable || (vm_flags & VM_WRITE) !== 0, () => `${where} is writable`);
      const copy = (page.flags & PG_anon) !== 0;
      unless(!copy || (vm_flags & VM_SHARED) === 0, () => `${where} is a shared copy`);
      unless(!writable || copy || (vm_flags & VM_SHARED) !== 0, () => `${where} writes through`);
      const special = (leaf.lo & 0x200) !== 0;
      if (!special) mapcounts.set(page.at, (mapcounts.get(page.at) ?? 0) + 1);
    }
  }
  const mapping = k.the('or_object', 'or_object').mapping;
  const tree: Vma[] = [];
  for (let vma = mapping.i_mmap; !isNull(vma); vma = vma.i_mmap_next) {
    unless(vma.vm_pgoff >= (tree.at(-1)?.vm_pgoff ?? 0), () => 'the tree is out of order');
    tree.push(vma);
  }
  const places = (list: readonly Vma[]) => list.map(({ at }) => at).sort((a, b) => a - b);
  unless(`${places(tree)}` === `${places(vmas)}`, () => 'the tree has other mappings');
  unless([...k.objects.all('vm_area_struct')].length === vmas.length, () => 'a lost mapping');
  for (const at of k.objects.all('page')) {
    const page = k.view('page', at);
    const mapped = mapcounts.get(at) ?? 0;
    const copy = (page.flags & PG_anon) !== 0;
    const references = copy ? mapped : mapped + 1;
    unless(page._mapcount === mapped, () => `_mapcount ${page._mapcount} of ${mapped}`);
    unless(page._refcount === references, () => `_refcount ${page._refcount} of ${references}`);
    const exclusive = (page.flags & PG_anon_exclusive) !== 0;
    unless(!exclusive || mapped === 1, () => 'a page of several that is exclusive');
  }
  for (let task = 0; task < k.taskCount; task++) {
    unless(!k.isDead(task), () => `task ${task} met an oops`);
    unless(k.held(task).length === 0, () => `task ${task} holds locks`);
  }
  for (const { name } of k.events.slice())
    unless(name !== 'warn' && name !== 'oops', () => `a ${name} of the kernel`);
  return wrong;
}

/** Translations that a CPU could still use though memory does not grant them. */
const staleEntries = (k: Engine): number[] =>
  k.parts.tlb
    .entries(0)
    .map((entry) => cached(k, k.parts.tlb.cr3(0), entry))
    .filter(({ standing }) => standing === 'stale')
    .map(({ address }) => address);

/** What is left when every process has ended. */
function remains(k: Engine, pages: number): string[] {
  const count = (struct: 'vm_area_struct' | 'page' | 'page_table') =>
    [...k.objects.all(struct)].length;
  const roots = [...k.objects.all('mm_struct')].length;
  return [
    ...(count('vm_area_struct') === 0 ? [] : ['mappings']),
    ...(count('page') === pages ? [] : [`${count('page') - pages} pages`]),
    ...(count('page_table') === roots ? [] : [`${count('page_table') - roots} tables`]),
  ];
}

/** Everything that is wrong in a run of a program, by operation. */
function problemsOf(replayer: Replayer, given: RecordedProgram): string[] {
  const found: string[] = [];
  const say = (i: number, wrong: readonly (string | number)[]) => {
    if (wrong.length > 0) found.push(`${given.program}, operation ${i}: ${wrong.join('; ')}`);
  };
  // One more operation, that changes nothing: what it finds before it is what the last one left.
  const program = programOf(given, [...given.ops, { op: 'devread', page: 0 }]);
  let engine: Engine | undefined;
  try {
    replayer.perform(program, ({ i }, k) => {
      if (engine === undefined) {
        engine = k;
        k.afterStep.push(() => {
          if (operation(k).op === 0)
            say(
              i,
              staleEntries(k).map((a) => `stale 0x${a.toString(16)}`),
            );
        });
      }
      say(i - 1, inconsistencies(k));
      if (i === given.ops.length) say(i - 1, remains(k, given.pages));
      const broken = k.checker?.broken ?? [];
      say(
        i - 1,
        broken.splice(0).map(({ rule, message }) => `${rule}: ${message}`),
      );
    });
  } catch (error) {
    found.push(`${given.program}: ${error}`);
  } finally {
    if (engine !== undefined) engine.afterStep.length = 0;
  }
  return found;
}

/** Programs in one test, so that each stays short. */
const together = 40;
const programs = Number(process.env.RANDOM_PROGRAMS ?? 5 * together);
const first = Number(process.env.RANDOM_FROM ?? 1);
const replayer = new Replayer({ check: true });

for (let from = first; from < first + programs; from += together) {
  const seeds = Array.from(
    { length: Math.min(together, first + programs - from) },
    (_, i) => from + i,
  );
  test(`mappings, tree, tables, pages and TLB agree after each of ${seeds.length * 60} random operations, from seed ${from} on`, () => {
    const found = seeds.flatMap((seed) => problemsOf(replayer, randomProgram(seed, 60)));
    expect(found.slice(0, 10)).toEqual([]);
  });
}
