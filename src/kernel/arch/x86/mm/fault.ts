// arch/x86/mm/fault.c: from the exception to handle_mm_fault() and back. Linux 5.1 as the series of April 2019 found it
// (a fault is retried once at most), and Linux 6.1 under `mm-6.1`. Left out: kernel addresses, protection keys, stack
// expansion, instruction fetches; a signal is the number that the faulting access returns.
import { X86_PF_PROT, X86_PF_USER, X86_PF_WRITE } from '../../../../hardware/pte';
import { routine } from '../../../../routine/routine';
import { tracepoint } from '../../../../state/events';
import { bool, int, isNull, long, NULL, ref, type Structs } from '../../../../state/layout';
import { EFAULT } from '../../../include/linux/errno';
import {
  BUS_ADRERR,
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_INTERRUPTIBLE,
  FAULT_FLAG_KILLABLE,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_USER,
  FAULT_FLAG_WRITE,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIGBUS,
  SIGKILL,
  SIGSEGV,
  VM_ACCESS_FLAGS,
  VM_FAULT_COMPLETED,
  VM_FAULT_ERROR,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGSEGV,
  VM_WRITE,
} from '../../../include/linux/mm';
import '../../../include/linux/mm_types';
import { current } from '../../../include/linux/sched';
import { handle_mm_fault, perf_page_fault } from '../../../mm/memory';
import { find_vma } from '../../../mm/mmap';

/** exceptions:page_fault_user and page_fault_kernel. */
export const page_fault = tracepoint('page_fault', {
  address: long,
  error_code: int,
  cpu: int,
  pid: int,
});

const fault_args = { address: long, error_code: int };

/**
 * The page-fault exception. Returns 0 when the access is to be tried again, else the signal with its code in the second
 * byte, or -EFAULT for an access of the kernel.
 */
export const exc_page_fault = routine(
  'arch/x86/mm/fault.c',
  'exc_page_fault',
  { args: fault_args, locals: { ret: int }, returns: int },
  ({ step, call, when, having, ret }) => [
    step('trace_page_fault_entries(regs, error_code, address)', (f, k) => {
      const { address, error_code } = f;
      const process = current(k);
      const pid = isNull(process) ? 0 : process.pid;
      k.emit(page_fault, { address, error_code, cpu: k.cpu, pid });
    }),
    call(do_user_addr_fault, (f) => ({ address: f.address, error_code: f.error_code }), 'ret'),
    having('signals', [
      when('user_mode(regs)', (f) => (f.error_code & X86_PF_USER) !== 0, [
        // Threads of a scenario have handlers that do nothing; then the instruction is tried again.
        step('exit_to_usermode_loop(): a pending signal is delivered', (_f, k) =>
          k.signal(k.task, false),
        ),
      ]),
    ]),
    ret('to the faulting instruction', (f) => f.ret),
  ],
);

/** A signal for user mode, the exception table's way out for the kernel. */
export const signalled = (f: { error_code: number }, signal: number, code: number): number =>
  (f.error_code & X86_PF_USER) !== 0 ? signal | (code << 8) : -EFAULT;

/** mm_fault_error(): what becomes of a fault that failed. */
function faultError(f: { error_code: number; fault: number }): number {
  if ((f.fault & VM_FAULT_OOM) !== 0) return signalled(f, SIGKILL, 0); // the OOM killer
  if ((f.fault & VM_FAULT_SIGSEGV) !== 0) return signalled(f, SIGSEGV, SEGV_MAPERR);
  return signalled(f, SIGBUS, BUS_ADRERR);
}

/** Whether the mapping forbids the access. The bit that says "protection" is not asked, but for reads. */
export function access_error(error_code: number, vma: Structs['vm_area_struct']): boolean {
  if ((error_code & X86_PF_WRITE) !== 0) return (vma.vm_flags & VM_WRITE) === 0;
  if ((error_code & X86_PF_PROT) !== 0) return true;
  return (vma.vm_flags & VM_ACCESS_FLAGS) === 0;
}

export const do_user_addr_fault = routine(
  'arch/x86/mm/fault.c',
  'do_user_addr_fault',
  {
    args: fault_args,
    locals: {
      mm: ref('mm_struct'),
      vma: ref('vm_area_struct'),
      flags: int,
      fault: int,
      bad: bool,
      major: bool,
      pending: bool,
    },
    returns: int,
  },
  ({ step, atomic, when, loop, leave, again, call, acquire, release, variant, ret }) => [
    step('mm = current->mm; flags = FAULT_FLAG_DEFAULT', (f, k) => {
      const process = current(k);
      f.mm = isNull(process) || process.pagefault_disabled !== 0 ? NULL : process.mm;
      f.flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
      if ((f.error_code & X86_PF_USER) !== 0) f.flags |= FAULT_FLAG_USER;
      if ((f.error_code & X86_PF_WRITE) !== 0) f.flags |= FAULT_FLAG_WRITE;
    }),
    variant('mm-6.1', [
      step('flags |= FAULT_FLAG_INTERRUPTIBLE', (f) => {
        f.flags |= FAULT_FLAG_INTERRUPTIBLE;
      }),
    ]),
    when('faulthandler_disabled() || !mm', (f) => isNull(f.mm), [
      ret('bad_area_nosemaphore: SEGV_MAPERR', (f) => signalled(f, SIGSEGV, SEGV_MAPERR)),
    ]),
    loop('retry:', [
      acquire('down_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem, { mode: 'read' }),
      step('vma = find_vma(mm, address)', (f) => {
        f.vma = find_vma(f.mm, f.address);
        f.bad = isNull(f.vma) || f.vma.vm_start > f.address;
      }),
      when('!vma || vma->vm_start > address', (f) => f.bad, [
        release('up_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
        ret('bad_area: SEGV_MAPERR', (f) => signalled(f, SIGSEGV, SEGV_MAPERR)),
      ]),
      step('access_error(error_code, vma)', (f) => {
        f.bad = access_error(f.error_code, f.vma);
      }),
      when('access_error', (f) => f.bad, [
        release('up_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
        ret('bad_area_access_error: SEGV_ACCERR', (f) => signalled(f, SIGSEGV, SEGV_ACCERR)),
      ]),
      call(handle_mm_fault, (f) => ({ vma: f.vma, address: f.address, flags: f.flags }), 'fault'),
      // The vma is not looked at again: with RETRY and COMPLETED mmap_sem has been released.
      step('vma is no longer ours to look at', (f) => {
        f.vma = NULL;
      }),
      variant(
        'mm-6.1',
        [
          when('fault & VM_FAULT_RETRY', (f) => (f.fault & VM_FAULT_RETRY) !== 0, [
            step('fault_signal_pending(fault, regs)', (f, k) => {
              f.pending = k.hasSignal(k.task);
            }),
            when('a signal is pending', (f) => f.pending, [
              when('user_mode(regs)', (f) => (f.flags & FAULT_FLAG_USER) !== 0, [
                // Threads of a scenario have handlers that do nothing; then the instruction is tried again.
                step('the signal is delivered', (_f, k) => k.signal(k.task, false)),
                ret('0', () => 0),
              ]),
              ret('kernelmode_fixup_or_oops()', () => -EFAULT),
            ]),
            step('flags |= FAULT_FLAG_TRIED', (f) => {
              f.flags |= FAULT_FLAG_TRIED;
            }),
            again(),
          ]),
          when('fault & VM_FAULT_COMPLETED', (f) => (f.fault & VM_FAULT_COMPLETED) !== 0, [
            ret('0', () => 0),
          ]),
        ],
        [
          step('major |= fault & VM_FAULT_MAJOR', (f) => {
            f.major ||= (f.fault & VM_FAULT_MAJOR) !== 0;
          }),
          when('fault & VM_FAULT_RETRY', (f) => (f.fault & VM_FAULT_RETRY) !== 0, [
            // At most once: without ALLOW_RETRY the handler waits with mmap_sem held.
            when(
              'flags & FAULT_FLAG_ALLOW_RETRY',
              (f) => (f.flags & FAULT_FLAG_ALLOW_RETRY) !== 0,
              [
                step('flags &= ~FAULT_FLAG_ALLOW_RETRY; flags |= FAULT_FLAG_TRIED', (f) => {
                  f.flags = (f.flags & ~FAULT_FLAG_ALLOW_RETRY) | FAULT_FLAG_TRIED;
                }),
                again(),
              ],
            ),
            ret('no_context(): SIGBUS in kernel mode', (f) =>
              (f.flags & FAULT_FLAG_USER) !== 0 ? 0 : -EFAULT,
            ),
          ]),
        ],
      ),
      leave(),
    ]),
    release('up_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    when('fault & VM_FAULT_ERROR', (f) => (f.fault & VM_FAULT_ERROR) !== 0, [
      ret('mm_fault_error(regs, error_code, address, fault)', faultError),
    ]),
    variant(
      'mm-6.1',
      [],
      [
        when(
          'major',
          (f) => f.major,
          [
            atomic('tsk->maj_flt++', (f, k) => {
              k.parts.faultCounts.count(f.mm, true);
              k.emit(perf_page_fault, { address: f.address, major: true });
            }),
          ],
          [
            atomic('tsk->min_flt++', (f, k) => {
              k.parts.faultCounts.count(f.mm, false);
              k.emit(perf_page_fault, { address: f.address, major: false });
            }),
          ],
        ),
      ],
    ),
    ret('0', () => 0),
  ],
);
