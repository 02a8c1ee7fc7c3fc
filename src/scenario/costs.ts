// What a run has cost: faults, scans, flushes, bytes and waits, read off its events, and an estimate of the time by a
// table of what each takes on a machine of about 3 GHz. The table is for comparing two runs of one scenario, not for
// predicting either: entries are round, and each says where it comes from.

import { TLB_FLUSH_ON_TASK_SWITCH, TLB_LOCAL_MM_SHOOTDOWN } from '../hardware/mmu';
import { PAGE_SIZE } from '../hardware/pte';
import {
  SVGA_3D_CMD_DX_READBACK_SUBRESOURCE,
  SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE,
  SVGA_3D_CMD_READBACK_GB_IMAGE,
  SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  SVGA_3D_CMD_UPDATE_GB_IMAGE,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
} from '../hardware/svga/commands';
import { VMW_BO_DIRTY_PAGETABLE } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_drv.h';
import type { LoggedEvent } from '../state/events';
import { faultKind } from './counters';

/** What is counted, what one of it takes, and who says so. */
export interface Cost {
  readonly text: string;
  /** Nanoseconds each; 0 for what is counted only, because something else counts its time. */
  readonly nanoseconds: number;
  readonly source: string;
}

const fault = {
  nanoseconds: 1000,
  source:
    'a minor fault, median of 3241 cycles on a Core i7 of 2021 with Linux 6.6 (ddumbying.vercel.app/experiments/pagefault-latency); exception and return alone are 1050 cycles on Haswell (L. Torvalds, 30 April 2014)',
};
const copied = {
  nanoseconds: 0.1,
  source: 'ours: copying by one core at 10 GB/s; the device of a virtual machine is a copy in RAM',
};

export const costs = {
  readFaults: { text: 'read faults', ...fault },
  writeFaults: { text: 'write faults', ...fault },
  writeProtectFaults: { text: 'write-protect faults', ...fault },
  scans: {
    text: 'scans',
    nanoseconds: 100,
    source: 'ours: i_mmap_rwsem, the tree of mappings and the flush of nothing',
  },
  walkedPtes: {
    text: 'PTEs walked',
    nanoseconds: 2,
    source: 'ours: the raw loop over tables in `npm run bench` takes 1 to 2 ns an entry',
  },
  scannedPtes: {
    text: 'PTEs changed',
    nanoseconds: 8,
    source: 'a locked exchange with memory, about 25 cycles (A. Fog, Instruction tables)',
  },
  flushedPages: {
    text: 'pages flushed from TLBs',
    nanoseconds: 100,
    source:
      'comment on tlb_single_page_flush_ceiling in arch/x86/mm/tlb.c: about 100 ns a page, 33 pages at most before all is flushed',
  },
  tlbFlushes: { text: 'TLB flushes', nanoseconds: 0, source: 'counted by their pages' },
  shootdowns: {
    text: 'of them on other CPUs',
    nanoseconds: 2000,
    source:
      'an interrupt and its answer, microseconds (N. Amit, Optimizing the TLB Shootdown Algorithm, USENIX ATC 2017)',
  },
  submissions: {
    text: 'submissions',
    nanoseconds: 2000,
    source:
      'ours: a system call (gms.tf/on-the-costs-of-syscalls.html) and an exit to the hypervisor',
  },
  userUpdates: {
    text: 'updates by user space',
    nanoseconds: 50,
    source: 'ours: a range is noted and a command written',
  },
  bytesUploaded: { text: 'bytes uploaded', ...copied },
  bytesReadBack: { text: 'bytes read back', ...copied },
  waits: {
    text: 'waits for fences',
    nanoseconds: 3000,
    source:
      'ours: two switches of threads at 1.07 microseconds (ddumbying.vercel.app/experiments/ctx-switch-overhead) and an interrupt; not what the device takes',
  },
  bytesTouched: { text: 'bytes loaded and stored by CPUs', ...copied },
  bytesOfGpu: { text: 'bytes of draws', ...copied },
} as const satisfies Record<string, Cost>;

export type CostName = keyof typeof costs;
export const costNames = Object.keys(costs) as CostName[];

/** How many of each. */
export type Sheet = Readonly<Record<CostName, number>>;

/** What was done whoever keeps memory coherent: the rest of the estimate is what coherence takes. */
const work: ReadonlySet<CostName> = new Set(['bytesTouched', 'bytesOfGpu']);

/** Nanoseconds, of everything, and of what is not the work itself. */
export function estimate(sheet: Sheet): { readonly all: number; readonly coherence: number } {
  const sum = (of: (name: CostName) => boolean) =>
    costNames.filter(of).reduce((total, name) => total + timeOf(sheet, name), 0);
  return { all: sum(() => true), coherence: sum((name) => !work.has(name)) };
}

export const timeOf = (sheet: Sheet, name: CostName): number =>
  sheet[name] * costs[name].nanoseconds;

const updates: ReadonlySet<number> = new Set([
  SVGA_3D_CMD_UPDATE_GB_IMAGE,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
  SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE,
]);
const readbacks: ReadonlySet<number> = new Set([
  SVGA_3D_CMD_READBACK_GB_IMAGE,
  SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  SVGA_3D_CMD_DX_READBACK_SUBRESOURCE,
]);

/** tlb_single_page_flush_ceiling: more pages than this cost as much as all. */
const flushCeiling = 33;

const faultNames = {
  'faults.read': 'readFaults',
  'faults.write': 'writeFaults',
  'faults.writeProtect': 'writeProtectFaults',
} as const;

/** What a run has cost up to now. */
export function costsOf(events: readonly LoggedEvent[]): Sheet {
  const sheet = Object.fromEntries(costNames.map((name) => [name, 0])) as Record<CostName, number>;
  const mapped = new Mapped();
  for (const { name, args } of events) {
    const a = args as Readonly<Record<string, number>>;
    mapped.hear(name, a);
    switch (name) {
      case 'page_fault':
        sheet[faultNames[faultKind(a['error_code']!) as keyof typeof faultNames]]++;
        break;
      case 'vmw_bo_dirty_scan':
        sheet.scans++;
        sheet.scannedPtes += Math.max(0, a['count']!);
        sheet.walkedPtes += mapped.walked(a);
        break;
      case 'tlb_flush': {
        const { reason, pages } = a;
        if (reason === TLB_FLUSH_ON_TASK_SWITCH || pages === 0) break;
        sheet.tlbFlushes++;
        sheet.flushedPages += pages! < 0 ? flushCeiling : Math.min(flushCeiling, pages!);
        if (reason !== TLB_LOCAL_MM_SHOOTDOWN) sheet.shootdowns++;
        break;
      }
      case 'vmw_execbuf':
        sheet.submissions++;
        break;
      case 'user_update':
        sheet.userUpdates++;
        break;
      case 'svga_command':
        if (updates.has(a['id']!)) sheet.bytesUploaded += a['bytes']!;
        if (readbacks.has(a['id']!)) sheet.bytesReadBack += a['bytes']!;
        break;
      case 'dma_fence_wait_start':
        sheet.waits++;
        break;
      case 'cpu_store':
      case 'cpu_load':
        sheet.bytesTouched += a['length']!;
        break;
      case 'gpu_read':
      case 'gpu_write':
      case 'gpu_copy':
        sheet.bytesOfGpu += a['length']!;
        break;
    }
  }
  return sheet;
}

/** What is mapped of each buffer object, so far as a scan has to walk it. */
class Mapped {
  private readonly objects = new Map<number, number>(); // of surfaces
  private mappings: { surface: number; root: number; address: number; length: number }[] = [];

  hear(name: string, a: Readonly<Record<string, number>>): void {
    if (name === 'surface_created') this.objects.set(a['surface']!, a['bo']!);
    else if (name === 'surface_mapped') this.mappings.push({ ...(a as never as Mapping) });
    else if (name === 'surfaces_inherited') {
      const own = this.mappings.filter(({ root }) => root === a['from']);
      this.mappings.push(...own.map((m) => ({ ...m, root: a['root']! })));
    } else if (name === 'surface_unmapped') this.unmap(a as never);
  }

  private unmap(gone: { root: number; address: number; length: number }): void {
    const end = gone.address + gone.length;
    this.mappings = this.mappings.flatMap((m) => {
      const from = Math.max(m.address, gone.address);
      const until = Math.min(m.address + m.length, end);
      if (m.root !== gone.root || from >= until) return [m];
      const before = { ...m, length: from - m.address };
      const behind = { ...m, address: until, length: m.address + m.length - until };
      return [before, behind].filter(({ length }) => length > 0);
    });
  }

  /** Entries that a scan looked at: all that is mapped of the object, or its noted range in every mapping. */
  walked(a: Readonly<Record<string, number>>): number {
    const own = this.mappings.filter(({ surface }) => this.objects.get(surface) === a['bo']);
    const pages = own.reduce((sum, { length }) => sum + Math.ceil(length / PAGE_SIZE), 0);
    if (a['method'] === VMW_BO_DIRTY_PAGETABLE) return pages;
    return Math.min(pages, Math.max(0, a['end']! - a['start']!) * own.length);
  }
}

interface Mapping {
  readonly surface: number;
  readonly root: number;
  readonly address: number;
  readonly length: number;
}
