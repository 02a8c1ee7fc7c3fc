// Which way the kernel will take with a page fault, and by which conditions: read off the state by peeking when the
// exception is raised, in the order in which arch/x86/mm/fault.c and mm/memory.c decide. It holds as long as nobody else
// comes in between, and ends where a driver's callback decides.
import { peekWalk } from '../hardware/mmu';
import { pte_pfn, X86_PF_PROT, X86_PF_WRITE } from '../hardware/pte';
import {
  pmd_trans_huge,
  pte_none,
  pte_special,
  pte_write,
} from '../kernel/arch/x86/include/asm/pgtable';
import { access_error, signalled } from '../kernel/arch/x86/mm/fault';
import { EFAULT } from '../kernel/include/linux/errno';
import {
  BUS_ADRERR,
  isSharedWritable,
  PG_anon,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIGBUS,
  SIGKILL,
  SIGSEGV,
  VM_SHARED,
} from '../kernel/include/linux/mm';
import { may_have_huge } from '../kernel/mm/huge_memory';
import { isReusable, pfn_to_page } from '../kernel/mm/memory';
import { find_vma } from '../kernel/mm/mmap';
import type { FaultBranch } from '../protocol/fault';
import type { Engine } from '../routine/engine';
import type { RoutineCode } from '../routine/program';
import { isNull, type Structs, type U64 } from '../state/layout';

/** The exception, and where it is handled: each call of the second is an attempt. */
export const exception = 'exc_page_fault';
export const attempt = 'handle_mm_fault';

/** The routines of the fault path that tell by being called which way was taken. */
const deciding: readonly string[] = [
  exception,
  attempt,
  'create_huge_pud',
  'create_huge_pmd',
  'wp_huge_pud',
  'wp_huge_pmd',
  'huge_pud_set_accessed',
  'huge_pmd_set_accessed',
  'handle_pte_fault',
  'do_fault',
  'do_read_fault',
  'do_cow_fault',
  'do_shared_fault',
  'finish_fault',
  'do_wp_page',
  'wp_pfn_shared',
  'wp_page_shared',
  'do_page_mkwrite',
  'finish_mkwrite_fault',
  'wp_page_reuse',
  'wp_page_copy',
];

type Callback = 'fault' | 'huge_fault' | 'page_mkwrite' | 'pfn_mkwrite';
const callbacks: readonly Callback[] = ['fault', 'huge_fault', 'page_mkwrite', 'pfn_mkwrite'];

/** The routines above, and the callbacks of every driver of a machine. */
export function tracedRoutines(k: Engine): RoutineCode[] {
  const tables = k.objects.allStatics.filter(
    ({ struct }) => struct.name === 'vm_operations_struct',
  );
  const pointed = tables.flatMap(({ at }) =>
    callbacks.map((name) => k.view('vm_operations_struct', at)[name] as number),
  );
  const own = deciding.flatMap((name) => k.program.named(name) ?? []);
  return [...own, ...pointed.filter((n) => n !== 0).map((n) => k.program.at(n))];
}

/** How an exception ends, by what exc_page_fault() returns. */
export function resultText(returned: number): string {
  if (returned === 0) return 'the access is tried again';
  if (returned < 0)
    return `the kernel's access fails with ${returned === -EFAULT ? '-EFAULT' : returned}`;
  const names: Readonly<Record<number, readonly [string, Readonly<Record<number, string>>]>> = {
    [SIGSEGV]: ['SIGSEGV', { [SEGV_MAPERR]: 'SEGV_MAPERR', [SEGV_ACCERR]: 'SEGV_ACCERR' }],
    [SIGBUS]: ['SIGBUS', { [BUS_ADRERR]: 'BUS_ADRERR' }],
    [SIGKILL]: ['SIGKILL', {}],
  };
  const [signal, codes] = names[returned & 255] ?? [`signal ${returned & 255}`, {}];
  const code = codes[returned >> 8];
  return code === undefined ? signal : `${signal} (${code})`;
}

/** The branch that a fault of `task` takes from where the engine stands: on its tracepoint. */
export function branchOf(
  k: Engine,
  task: number,
  address: number,
  error_code: number,
): FaultBranch {
  const path = ['do_user_addr_fault'];
  const why: string[] = [];
  const end = (returned: number | null): FaultBranch => ({
    path,
    why,
    result: returned === null ? null : resultText(returned),
  });
  const go = (...names: string[]) => path.push(...names);
  const signal = (number: number, code: number) => end(signalled({ error_code }, number, code));

  const process = k.view('task_struct', k.ownerOf(task));
  const mm = isNull(process) ? undefined : process.mm;
  if (mm === undefined || isNull(mm) || process.pagefault_disabled !== 0) {
    go('bad_area_nosemaphore');
    why.push(
      mm === undefined || isNull(mm)
        ? 'the task has no address space'
        : 'page faults are disabled: the kernel holds what a handler would need',
    );
    return signal(SIGSEGV, SEGV_MAPERR);
  }
  const vma = find_vma(mm, address);
  if (isNull(vma) || vma.vm_start > address) {
    go('bad_area');
    why.push('no mapping holds the address');
    return signal(SIGSEGV, SEGV_MAPERR);
  }
  const write = (error_code & X86_PF_WRITE) !== 0;
  if (access_error(error_code, vma)) {
    go('bad_area_access_error');
    why.push(accessError(error_code));
    return signal(SIGSEGV, SEGV_ACCERR);
  }
  go(attempt);
  const callback = (name: Callback): number => (isNull(vma.vm_ops) ? 0 : vma.vm_ops[name]);
  const called = (pointer: number): string => k.program.at(pointer).routine.name;
  const found = peekWalk(k, mm.pgd, address);
  const level = found?.level ?? 0;
  if (found !== undefined && level < 3 && pmd_trans_huge(found.entry)) {
    const name = level === 1 ? 'pud' : 'pmd';
    why.push(`a huge entry of the ${name.toUpperCase()} maps the page`);
    if (write && !pte_write(found.entry)) {
      why.push('it is read-only');
      go(`wp_huge_${name}`, called(callback('huge_fault')));
      return end(null);
    }
    why.push('it allows the access by now: another CPU was first, or the TLB was behind');
    go(`huge_${name}_set_accessed`);
    return end(0);
  }
  if (level < 3 && may_have_huge(k.program.variants)(vma)) {
    why.push('nothing is mapped there', 'the mapping may have huge entries');
    go(level < 2 ? 'create_huge_pud' : 'create_huge_pmd', called(callback('huge_fault')));
    return end(null);
  }
  go('handle_pte_fault');
  const entry = level === 3 ? found?.entry : undefined;
  const shared = (vma.vm_flags & VM_SHARED) !== 0;

  if (entry === undefined || pte_none(entry)) {
    why.push(
      entry === undefined ? 'there is no page table for the address' : 'nothing is mapped there',
    );
    go('do_fault');
    const handler = callback('fault');
    if (handler === 0) {
      why.push('the mapping has no vm_ops->fault');
      return signal(SIGBUS, BUS_ADRERR);
    }
    why.push(
      !write ? 'it is a load' : `it is a store to a ${shared ? 'shared' : 'private'} mapping`,
    );
    go(!write ? 'do_read_fault' : shared ? 'do_shared_fault' : 'do_cow_fault', called(handler));
    return end(null);
  }
  if (!write || pte_write(entry)) {
    why.push(
      `the entry ${write ? 'is writable' : 'is there'} by now: another CPU was first, or the TLB was behind`,
    );
    return end(0);
  }
  why.push('the entry is present and read-only');
  go('do_wp_page');
  writeProtected(k, vma, entry, { go, why, callback, called });
  return end(null);
}

function accessError(error_code: number): string {
  if ((error_code & X86_PF_WRITE) !== 0) return 'the mapping may not be written (no VM_WRITE)';
  return (error_code & X86_PF_PROT) !== 0
    ? 'a load was refused by an entry that is present'
    : 'the mapping may not be accessed at all (PROT_NONE)';
}

interface Way {
  readonly go: (...names: string[]) => void;
  readonly why: string[];
  readonly callback: (name: Callback) => number;
  readonly called: (pointer: number) => string;
}

/** do_wp_page(): what becomes of a store to a present, read-only entry. */
function writeProtected(k: Engine, vma: Structs['vm_area_struct'], entry: U64, way: Way): void {
  const { go, why, callback, called } = way;
  const shared = isSharedWritable(vma.vm_flags);
  if (pte_special(entry)) {
    why.push('it is special: no struct page is behind it');
    why.push(`the mapping is ${shared ? 'shared and writable' : 'private'}`);
    if (!shared) return void go('wp_page_copy');
    go('wp_pfn_shared');
    const handler = callback('pfn_mkwrite');
    why.push(`vm_ops->pfn_mkwrite is ${handler === 0 ? 'not set' : 'set'}`);
    return void go(handler === 0 ? 'wp_page_reuse' : called(handler));
  }
  const { flags: page_flags, _refcount: count } = pfn_to_page(k, pte_pfn(entry));
  if ((page_flags & PG_anon) !== 0) {
    const reusable = isReusable({ page_flags, count });
    why.push('it maps a private copy');
    why.push(reusable ? 'nobody else has it' : `${count} hold a reference to it`);
    return void go(reusable ? 'wp_page_reuse' : 'wp_page_copy');
  }
  why.push('it maps a page of the file');
  why.push(`the mapping is ${shared ? 'shared and writable' : 'private'}`);
  if (!shared) return void go('wp_page_copy');
  go('wp_page_shared');
  const handler = callback('page_mkwrite');
  why.push(`vm_ops->page_mkwrite is ${handler === 0 ? 'not set' : 'set'}`);
  if (handler === 0) go('wp_page_reuse');
  else go('do_page_mkwrite', called(handler));
}
