// arch/x86/include/asm/tlbflush.h (Linux 5.1 and 6.1): what the kernel knows of the TLB of a CPU. In 6.1 `is_lazy`, which
// other CPUs read, lies in a struct of its own. Left out: everything about PCIDs, of which there would be several.
import type { Engine } from '../../../../../routine/engine';
import { bool, int, ref, type Structs, struct, type View } from '../../../../../state/layout';
import '../../../../include/linux/mm_types';

/** As an end of a range: everything. */
export const TLB_FLUSH_ALL = -1;

/** The TLB of a CPU: number `cpu` of its pool. Without PCIDs it holds entries of one address space. */
export const tlb_state = struct('tlb_state', {
  own: {
    loaded_mm: ref('mm_struct'), // NULL: init_mm, which has no user space
    tlb_gen: int, // up to which of that mm's generations it has been flushed
  },
  // The CPU runs a task without an address space and has kept the last one: shootdowns need not interrupt it.
  shared: { is_lazy: bool },
});

declare module '../../../../../state/layout' {
  interface Structs {
    tlb_state: View<typeof tlb_state>;
  }
}

/** per_cpu(cpu_tlbstate, cpu) */
export function cpu_tlbstate(k: Engine, cpu: number): Structs['tlb_state'] {
  const { region, stride } = k.objects.pool('tlb_state');
  return k.view('tlb_state', region.base + 1 + cpu * stride);
}
