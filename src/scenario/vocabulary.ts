// The words of the language that are data: operations, GPU commands, what an expression can look at, counters,
// settings, attributes. Checks, completion and hover read these tables; a word is added here.
import type { PointName } from '../hardware/svga/bindings';
import {
  EACCES,
  EBUSY,
  EEXIST,
  EFAULT,
  EINTR,
  EINVAL,
  EIO,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EPERM,
} from '../kernel/include/linux/errno';
import { SIGBUS, SIGKILL, SIGSEGV } from '../kernel/include/linux/mm';
import type { forms } from '../syntax/forms';

export interface Entry {
  /** How it is written. */
  readonly form: string;
  /** What it does, in the terms of the kernel. */
  readonly does: string;
}

/** What a thread can do. */
export const operations = {
  map: {
    form: 'let p = map ring',
    does:
      'Maps a surface into the process: mmap() of its buffer object, as a shared PFN mapping. No page is ' +
      'there until the first access faults. `map ring[32KiB .. 64KiB]` maps a part; behind it may stand ' +
      '`private` (copy on write) and `readonly`.',
  },
  unmap: {
    form: 'unmap p',
    does:
      'munmap(): takes the mapping, or the pages of a range of it, out of the process. Dirty bits in its ' +
      'PTEs go with them.',
  },
  protect: {
    form: 'protect p[0 .. 1 page] readonly',
    does:
      'mprotect(): what the pages allow from here on, `readonly`, `readwrite` or `none`. change_protection() rewrites ' +
      'the PTEs and keeps their dirty bits; a mapping may be split. An access that is not allowed ends with SIGSEGV.',
  },
  advise: {
    form: 'advise p random',
    does:
      'madvise(): `random` has a fault insert one page only (VM_RAND_READ), `dontfork` keeps the mapping from children; ' +
      'others are refused for the mappings of a driver (VM_IO).',
  },
  remap: {
    form: 'remap p at 0x10000000',
    does:
      'mremap() to a fixed address, the length unchanged: move_page_tables() takes the PTEs along. The name of the ' +
      'mapping follows it; a part that is moved needs a name of its own, `let q = remap p[0 .. 1 page] at 0x10000000`.',
  },
  fork: {
    form: 'fork child',
    does:
      'fork(): dup_mmap() copies the mappings, copy_page_range() the PTEs, clean and not accessed. The process is ' +
      'declared as `process child forks app { … }` and begins here; it knows the mappings of the parent by their names.',
  },
  exit: {
    form: 'exit',
    does:
      'The end of the process: exit_mmap() takes its mappings and page tables away, and with them dirty bits that ' +
      'nobody has collected. It is the last statement of the only thread.',
  },
  clear_refs: {
    form: 'clear_refs',
    does:
      'Writes 4 to /proc/PID/clear_refs, of this process or of the one that is named: soft-dirty bits are cleared and ' +
      'PTEs write-protected (clear_refs_pte_range()), VM_SOFTDIRTY goes, the TLBs are flushed. Mappings of bare frames ' +
      '(VM_PFNMAP) are passed over.',
  },
  sigaction: {
    form: 'sigaction',
    does:
      'The process installs a handler of SIGSEGV of its own, as a language runtime does: sigaction(2). It matters where a ' +
      'capture layer in the process lives by that signal (`memory layer`).',
  },
  fail: {
    form: 'fail ttm_tt_populate once after 2',
    does:
      'Makes a step of the emulated kernel fail that has a way out (lib/fault-inject.c): `once`, `3 times`, `always`, ' +
      '`never` any more; with `after 2` it goes well twice before. Outside of processes it holds from the beginning.',
  },
  evict: {
    form: 'evict ring',
    does:
      'Memory pressure picks the buffer object of this surface: ttm_bo_evict(). Its surfaces are unbound, with a readback ' +
      'of what the GPU wrote, and uploaded whole when they are used again. An object in use or pinned is passed over: ' +
      'EBUSY.',
  },
  swapout: {
    form: 'swapout ring',
    does:
      'As `evict`, and then the pages go: ttm_bo_swapout() takes them out of every page table, copies them to swap and ' +
      'frees them. Who needs one next brings all back (ttm_tt_swapin). EBUSY also when there are no pages.',
  },
  pin: {
    form: 'pin ring',
    does:
      'A display shows the surface: vmw_resource_pin() binds it and keeps its buffer object where it is, until as many ' +
      '`unpin`. `pin ring in vram` brings the buffer object itself into the memory of the device, behind a BAR, as an old ' +
      'display needs it (vmw_bo_pin_in_vram()); `in vram_or_gmr` while there is room, else into a guest memory region.',
  },
  unpin: {
    form: 'unpin ring',
    does:
      'vmw_resource_unpin(): takes one `pin` back; `unpin ring in vram` one of the buffer object (vmw_bo_unpin()), which ' +
      'stays there until others need the room or the surface is used.',
  },
  create: {
    form: 'create ring',
    does:
      'Makes a surface that was declared `later`, or was destroyed (DRM_VMW_GB_SURFACE_CREATE): vmw_gb_surface_define_ioctl() ' +
      'allocates it, in a buffer object of its own or in that of the surfaces whose memory it shares, which may be mapped ' +
      'and written already; `coherent`, it begins to track that object (vmw_bo_dirty_add()). Before it every use is EINVAL; ' +
      'EEXIST when it is there.',
  },
  destroy: {
    form: 'destroy ring',
    does:
      'Gives the handle back (DRM_VMW_UNREF_SURFACE). The surface leaves the device behind what was submitted; its memory ' +
      'lives as long as a mapping of it. The surface cannot be used any more: EINVAL, until it is made again by `create`.',
  },
  purge: {
    form: 'purge ring',
    does:
      'As `evict`, and then the driver wants the buffer object nowhere, as some do under pressure: its pages go, and what ' +
      'they held (ttm_bo_pipeline_gutting()). Of the surface nothing is promised until it is written again; an access ' +
      'through a mapping is a SIGBUS until it has been used by the GPU.',
  },
  cursor: {
    form: 'cursor ring as image',
    does:
      'A display shows the surface as its cursor: the kernel reads the image from guest memory, through a map of its own ' +
      '(vmw_bo_map_and_cache()), once to compare and once to copy. The name is the first byte of the image.',
  },
  suspend: {
    form: 'suspend',
    does:
      'The machine goes to sleep: vmw_pm_freeze() takes every surface off the device and swaps out every buffer object. ' +
      'EBUSY when a pinned surface stays there. What is submitted from then on waits for `resume`.',
  },
  resume: {
    form: 'resume',
    does: 'vmw_pm_restore(): the device takes commands again; surfaces come back as they are used.',
  },
  write: {
    form: 'write p[0 .. 4KiB] = 7',
    does:
      'CPU stores: every byte of the range gets the value. A store looks into the TLB, walks the page tables ' +
      'and, on an absent or write-protected PTE, faults into handle_mm_fault(): vmw_bo_vm_fault() inserts, ' +
      'vmw_bo_vm_mkwrite() notes the write. Without a value it stores what no other store wrote.',
  },
  read: {
    form: 'read p[0] as x',
    does:
      'CPU loads of the range. An absent PTE faults; the driver reads back what the GPU wrote (patch 8) before it ' +
      'inserts the page. The name behind `as` holds the byte that was seen.',
  },
  copy: {
    form: 'copy p[0 .. 4KiB] to q[0]',
    does:
      'The CPU loads a range and stores it in another mapping, or in another place of the same one: a load and a store ' +
      'for each piece that lies in one page on both sides, each with its TLB, walk and faults.',
  },
  copy_to_user: {
    form: 'copy_to_user p[0 .. 8KiB] = 7 as left',
    does:
      'What read(2) into the mapping does: the kernel stores (lib/usercopy.c), and faults as a store of user mode does, ' +
      'write notification included; but a fault that cannot be served ends the copy without a signal. The name behind ' +
      '`as` is how many bytes were not copied.',
  },
  copy_from_user: {
    form: 'copy_from_user p[0 .. 8KiB] as left',
    does: 'What write(2) from the mapping does: the kernel loads. The name is how many bytes were not copied.',
  },
  peek: {
    form: 'peek p[0 .. 8] as x',
    does:
      'A debugger reads the range (ptrace, or /proc/PID/mem): access_remote_vm() asks the mapping (`vm_ops->access`), for it ' +
      'has no pages. TTM serves objects in system placement only; EIO otherwise, and always in linux-6.1.',
  },
  poke: {
    form: 'poke p[0 .. 8] = 7',
    does: 'A debugger writes the range, as `peek` reads. No entry of a page table is touched, no tracker notes it.',
  },
  flush: {
    form: 'flush p[0 .. 256]',
    does:
      'What was stored is for the GPU: vkFlushMappedMemoryRanges() of memory that is not coherent. User space puts an ' +
      'update of the range, rounded out to `atom`, in front of the next submission that uses the surface.',
  },
  invalidate: {
    form: 'invalidate p[0 .. 256]',
    does:
      'What the GPU wrote is for the CPU: vkInvalidateMappedMemoryRanges() of memory that is not coherent. User space sends ' +
      'what was flushed, then a readback of the surface, all of it, and waits: what was stored and not flushed is overwritten.',
  },
  poll: {
    form: 'poll done as over',
    does:
      'Asks whether a fence has signaled, without waiting (vmw_fence_obj_signaled_ioctl); false before it was submitted. ' +
      'When it has, the thread knows that the submission is over, as after `wait`.',
  },
  submit: {
    form: 'submit { draw reads ring[0 .. 4KiB] } as done',
    does:
      'Hands commands to the GPU: vmw_execbuf_process(). Validation reserves the buffers, scans for written pages ' +
      '(vmw_bo_dirty_scan), emits an update for what is dirty, then the commands and a fence. The ' +
      'name behind `as` is that fence; with `exported` behind that, it is a sync file, which is polled like any file.',
  },
  wait: {
    form: 'wait done[2]',
    does:
      'Sleeps until a fence has signaled (dma_fence_wait), or until another thread has signaled the event. Behind a fence ' +
      'may stand `event` (FENCE_EVENT: the driver sends one), `timeout` (a time that may run out), `nowait` (no time at ' +
      'all). A sync file is waited for by poll(2).',
  },
  grab: {
    form: 'grab ring',
    does:
      'The CPU takes the memory of a surface (SYNCCPU): waits until the GPU has done with it, and submissions that use it ' +
      'are refused with EBUSY until `release`. With `shared` it only waits; with `nowait` it does not, but says EBUSY.',
  },
  release: { form: 'release ring', does: 'SYNCCPU release: undoes one `grab`.' },
  export: {
    form: 'export ring as busy',
    does:
      'A sync file of all that guards the memory of a surface (DMA_BUF_IOCTL_EXPORT_SYNC_FILE): one fence, or an array of ' +
      'them. The name behind `as` is a fence like any other.',
  },
  attach: {
    form: 'attach done to ring',
    does: 'A sync file guards the memory of a surface from here on, as a reader of it does (DMA_BUF_IOCTL_IMPORT_SYNC_FILE).',
  },
  kill: {
    form: 'kill render',
    does:
      'A signal for a thread of this process, with a handler that does nothing: what waits interruptibly in the kernel ' +
      'returns, and is done again when the handler has run.',
  },
  signal: {
    form: 'signal ready',
    does: 'Lets the threads go on that wait for this event. Nothing in the kernel is touched.',
  },
} as const satisfies Record<string, Entry>;

export type OperationName = keyof typeof operations;

/** What the GPU can be told, inside of `submit { … }`. */
export const commands = {
  draw: {
    form: 'draw reads ring[0 .. 4KiB] writes target = 5',
    does:
      'The device reads and writes its own copies of the surfaces. A draw that writes makes the surface ' +
      'GPU-dirty: its PTEs are zapped, and the next CPU access reads back. `draw bound = 5` works on what the thread has ' +
      'bound: it reads what is bound for reading, and writes the byte to all that is bound for writing.',
  },
  bind: {
    form: 'bind picture target',
    does:
      'Binds a surface, or a range of it, to the context of the thread, where it stays: as render `target`, `depth` buffer, ' +
      '`stream`-output target, `storage` (unordered access), shader `resource`, `vertices`, `indices` or `constants`; ' +
      '`bind picture target 1` in another slot than 0. Every submission of the thread from the next one on uses what is ' +
      'bound, and what is bound for writing counts as written by it, draw or not.',
  },
  unbind: {
    form: 'unbind target',
    does: 'Takes away what is bound, in slot 0 or in the one that is said: `unbind target 1`. Its view goes with it.',
  },
  copy: {
    form: 'copy ring[0 .. 4KiB] to target[0]',
    does:
      'The device copies bytes between its own copies of two surfaces, or to another place of the same one: it reads ' +
      'the source and writes the target, as draws do. The ranges must not overlap.',
  },
  clear: {
    form: 'clear target = 0',
    does: 'The device fills a surface, or a range of it, with one byte.',
  },
  genmips: {
    form: 'genmips picture',
    does:
      'The device computes the lower levels of a texture from the level above each: SVGA_3D_CMD_DX_GENMIPS. A write, as ' +
      'that of a draw.',
  },
  wait: {
    form: 'wait done',
    does:
      'The submission gets the sync file of another (DRM_VMW_EXECBUF_FLAG_IMPORT_FENCE_FD). vmwgfx waits for it in the ' +
      'ioctl, before it looks at the commands; it stands in front of them.',
  },
  present: {
    form: 'present target',
    does: 'The device shows a surface: it reads all of its own copy.',
  },
  update: {
    form: 'update ring[0 .. 4KiB]',
    does:
      'The application itself says what it wrote: SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE, guest memory to the ' +
      'device. Needed without coherence, redundant with it. A texture goes whole, or a level: `update level(picture, 1)`.',
  },
  readback: {
    form: 'readback target',
    does:
      'The application itself asks for what the GPU wrote: SVGA_3D_CMD_READBACK_GB_SURFACE, device to ' +
      'guest memory; of a level, `readback level(picture, 1)`, SVGA_3D_CMD_DX_READBACK_SUBRESOURCE.',
  },
  invalidate: {
    form: 'invalidate target',
    does:
      'The application gives up what the surface holds, before it writes all of it anew: ' +
      'SVGA_3D_CMD_INVALIDATE_GB_SURFACE. The device drops its copy, and the driver takes the surface for clean ' +
      '(VMW_RES_DIRTY_CLEAR), so nothing is read back. Until a byte is written again nothing is promised of it. Of a level, ' +
      '`invalidate level(picture, 1)`, by SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE: for the driver nothing changes.',
  },
} as const satisfies Record<string, Entry>;

export type CommandName = keyof typeof commands;

/** Operations of the GPU and of threads, by name; `undefined` for any other word. */
export function entryOf<T extends Record<string, Entry>>(
  table: T,
  name: string,
): Entry | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** What `pte(p[0])` shows of an entry of a page table; bit positions are those of x86-64. */
export const pteFields = {
  none: 'nothing is there: all bits but A and D are clear, or there is no such table',
  present: 'bit 0, _PAGE_PRESENT: the translation is valid',
  write: 'bit 1, _PAGE_RW: writes are allowed; clear means write-protected',
  user: 'bit 2, _PAGE_USER: user mode may access',
  writeThrough: 'bit 3, _PAGE_PWT: caching',
  cacheDisabled: 'bit 4, _PAGE_PCD: caching',
  accessed: 'bit 5, _PAGE_ACCESSED: set by the walker on any use',
  dirty: 'bit 6, _PAGE_DIRTY: set by the walker on the first write',
  pat: 'bit 7 of a PTE, _PAGE_PAT: caching (in the entries above it is `huge`)',
  global: 'bit 8, _PAGE_GLOBAL: kept over context switches',
  protNone: 'bit 8 without bit 0, _PAGE_PROTNONE: there for the kernel, absent for the walker',
  special: 'bit 9, _PAGE_SPECIAL: no struct page behind it',
  uffdWp: 'bit 10, _PAGE_UFFD_WP: write-protected for userfaultfd',
  softDirty: 'bit 11, _PAGE_SOFT_DIRTY: written since the process cleared its soft-dirty bits',
  huge: 'the page is mapped by a huge entry, of 2 MiB in the PMD or of 1 GiB in the PUD: the bits are those of all of it',
  frame:
    'bits 12 to 51: the number of the page frame; of a huge entry, that of the frame of this page',
  devmap: 'bit 58, _PAGE_DEVMAP: memory of a device that has struct pages',
  key: 'bits 59 to 62: the protection key',
  noExecute: 'bit 63, _PAGE_NX: no instructions may be fetched',
} as const;

export type PteField = keyof typeof pteFields;

/** What `tlb(cpu0, p[0])` shows of the translation that a CPU has cached. */
export const tlbFields = {
  present: 'there is one, of this address space',
  write: 'it allows writes',
  user: 'it allows user mode',
  dirty: 'a write through it has set D: the next ones do not touch memory',
  frame: 'the number of the page frame',
  stale: 'it allows what the entry in memory does not, or not any more',
} as const;

/** What `vma(p[0])` shows of the mapping in which an address lies: flags of vm_area_struct, and its range. */
export const vmaFields = {
  present: 'there is one',
  start: 'vm_start: its first address',
  end: 'vm_end: the address behind it',
  offset: 'vm_pgoff, from the beginning of the surface: its first page',
  read: 'VM_READ',
  write: 'VM_WRITE',
  shared: 'VM_SHARED',
  mayWrite: 'VM_MAYWRITE: mprotect() may allow writes',
  pfnMap: 'VM_PFNMAP: bare frames (linux-6.1)',
  mixedMap: 'VM_MIXEDMAP: bare frames and pages (series-v2)',
  io: 'VM_IO: memory of a device',
  sequential: 'VM_SEQ_READ: `advise … sequential`',
  random: 'VM_RAND_READ: `advise … random`',
  dontFork: 'VM_DONTCOPY: `advise … dontfork`',
  softDirty: 'VM_SOFTDIRTY: all of it counts as soft-dirty, as from mmap() until `clear_refs`',
} as const;

/** What `pagemap(p[0])` shows: as /proc/PID/pagemap tells user space. */
export const pagemapFields = {
  present: 'bit 63: a page is there',
  softDirty: 'bit 55: written since `clear_refs`; false in mappings of bare frames (VM_PFNMAP)',
} as const;

/** What `box(ring)` shows of the dirty box of a surface: what the next submission sends. */
export const boxFields = {
  dirty: 'whether anything is in it',
  start: 'of a buffer, its first byte',
  end: 'of a buffer, the byte behind it',
  x: 'where it begins in a row, in pixels (of a buffer: bytes)',
  y: 'its first row',
  z: 'its first slice',
  w: 'how wide it is, in pixels',
  h: 'how many rows it has',
  d: 'how many slices it has',
} as const;

/** What `tracker(ring)` shows of the `vmw_bo_dirty` of a surface's buffer object. */
export const trackerFields = {
  method: '`pagetable` (scan the D bits), `mkwrite` (write-protect and be notified) or `untracked`',
  dirtyPages: 'how many pages are noted as written and not yet transferred',
  start: 'first page of the range that may hold noted pages',
  end: 'the page behind that range; nothing is noted when it is not above `start`',
  votes: 'change_count: consecutive scans that asked for the other method',
  dirty: 'whether one page is noted as written: `tracker(ring[4KiB]).dirty`',
} as const;

export type TrackerField = keyof typeof trackerFields;

/** The values of `tracker(ring).method`, numbered as in the driver. */
export const methods = { untracked: -1, pagetable: 0, mkwrite: 1 } as const;

/** What `done[2].` can show of a fence. */
export const fenceFields = {
  signaled: 'whether the fence has signaled',
  submitted: 'whether it was submitted: before that there is no fence behind the name',
  seqno: 'its sequence number, 0 before it was submitted',
} as const;

export type FenceField = keyof typeof fenceFields;

/** What an event between threads can show. */
export const eventFields = { signaled: 'whether a thread has signaled it' } as const;

/** Counters of a run, each counted since its beginning. */
export const counters = {
  'faults.read': 'page faults of loads, the PTE was absent',
  'faults.write': 'page faults of stores, the PTE was absent',
  'faults.writeProtect': 'page faults of stores, the PTE was there and read-only',
  scans: 'scans for written pages (vmw_bo_dirty_scan), those that return at once included',
  scannedPtes: 'PTEs that scans cleaned or write-protected, over all mappings',
  updates: 'update commands that the driver sent to the device',
  flushedBytes: 'bytes in the boxes of these update commands',
  tlbFlushes: 'TLB flushes of a CPU',
  readbacks: 'readback commands that the driver sent to the device',
  fences: 'fences that the driver emitted, those of faults included',
} as const;

export type CounterName = keyof typeof counters;

/** What may have happened up to now: `never race`, `finally not violation`. */
export const occurrences = {
  violation:
    'the coherence contract was broken (R1, R2 or R4); `finally violation` says that the scenario is there to show it',
  race: 'a mistake of the application: two accesses to one byte, one a store, with neither submission nor fence between them; or a flush or an invalidate that memory which is not coherent would have needed',
} as const;

export type OccurrenceName = keyof typeof occurrences;

/** Functions that look. None of them faults, fills a TLB or sets a bit. */
export const looks = {
  pte: {
    form: 'pte(p[0]).dirty',
    does: 'The page-table entry that maps this byte of a mapping, as it is in memory.',
  },
  pmd: {
    form: 'pmd(p[0]).present',
    does: 'The entry above the PTE, for this byte of a mapping: it names the table of 512 PTEs.',
  },
  pud: { form: 'pud(p[0]).present', does: 'The entry above the PMD.' },
  pgd: { form: 'pgd(p[0]).present', does: 'The entry of the root table.' },
  tlb: {
    form: 'tlb(cpu0, p[0]).dirty',
    does: 'The translation that a CPU has cached for this byte of a mapping.',
  },
  vma: {
    form: 'vma(p[0]).write',
    does: 'The vm_area_struct in which this byte of a mapping lies.',
  },
  pagemap: {
    form: 'pagemap(p[0]).softDirty',
    does: 'What /proc/PID/pagemap tells of the page: clear_refs and pagemap are how soft-dirty is used.',
  },
  address: {
    form: 'address(p[0])',
    does: 'The virtual address of this byte of a mapping.',
  },
  level: {
    form: 'level(texture, 1)',
    does:
      'The bytes of a mip level of a texture, or of a mapping of all of it; `level(texture, 1, 2)` of layer 2. A range like ' +
      'any other.',
  },
  layer: {
    form: 'layer(texture, 2)',
    does: 'The bytes of a layer of a texture, or of a mapping of all of it: all of its levels.',
  },
  ramp: {
    form: 'write p[0 .. 4KiB] = ramp(3)',
    does:
      'Bytes that count up, modulo 256: byte i is 3 + i. A store writes them, and bytes are compared with them, ' +
      '`assert gpu(ring)[0 .. 4KiB] == ramp(3)`: what comes to another place shows.',
  },
  tracker: {
    form: 'tracker(ring).method',
    does: 'What the driver keeps to find written pages: struct vmw_bo_dirty.',
  },
  box: {
    form: 'box(ring).start',
    does:
      'The dirty box of a surface: pages that were handed over to it and not sent yet. A texture has one for each ' +
      'subresource, `box(picture, 3).w`: level after level, layer after layer.',
  },
  events: {
    form: 'events(vmw_mkwrite, page == 3)',
    does:
      'How often something has happened up to now: the events of a tracepoint, or those of them for which the condition ' +
      'holds; in it the arguments of the event are names.',
  },
  first: {
    form: 'first(vmw_mkwrite, page == 3)',
    does: 'When something happened first: its place among all events, from 1, or 0 when it did not.',
  },
  last: {
    form: 'last(vmw_mkwrite).page',
    does:
      'When something happened last, as `first`; behind a dot the argument of that event. The order of two things is a ' +
      'comparison: `first(tlb_flush) < last(vmw_dirty_sync)`.',
  },
  gpu: {
    form: 'gpu(ring)[64KiB]',
    does: 'Bytes of the copy that the device keeps of a surface. A range equals a number when all of its bytes do.',
  },
} as const satisfies Record<string, Entry>;

/** What `machine { … }` can set. */
export const machineSettings = {
  kernel: { form: 'kernel series-v2', does: 'The preset of variants: which kernel is emulated.' },
  cpus: { form: 'cpus 2', does: 'How many CPUs there are: cpu0, cpu1, …' },
  tracking: {
    form: 'tracking auto',
    does:
      'How written pages are found: `auto` as the driver decides, `pagetable` or `mkwrite` to begin with that method ' +
      'whatever the size (it may change as usual), `off` not at all.',
  },
  memory: {
    form: 'memory explicit',
    does:
      'Who keeps coherent surfaces so: `coherent` the kernel; `explicit` Mesa in user space, without the kernel, by updates ' +
      'and readbacks of its own; `layer` a capture layer that protects pages and handles SIGSEGV; `noncoherent` nobody, the application has to `flush` and `invalidate`.',
  },
  device: {
    form: 'device sm5',
    does:
      'What the device knows besides guest-backed objects: shader models 5 (`sm5`), 4.1 (`sm4_1`) or 4 (`sm4`), or none ' +
      '(`gb`: no arrays, no `copy`, no `genmips`). The driver chooses commands by it.',
  },
  submission: {
    form: 'submission buffers',
    does:
      'How commands come to the device: `stream`, in short; `buffers`, in command buffers, several in flight, whose errors ' +
      'the driver deals with (vmwgfx_cmdbuf.c); `fifo`, through the FIFO of older devices (vmwgfx_fifo.c).',
  },
  atom: {
    form: 'atom 64',
    does: 'nonCoherentAtomSize: the bytes that `flush` and `invalidate` are rounded out to, a power of two. Without it 64.',
  },
  mobs: {
    form: 'mobs 64 pages',
    does:
      'How much memory can be known to the device at a time; more drives out what was used longest ago. Without it there ' +
      'is no limit.',
  },
  vram: {
    form: 'vram 16 pages',
    does:
      'How much memory the device has of its own, for `pin … in vram`; more drives out what was used longest ago. Without ' +
      'it 1024 pages.',
  },
  seqno: {
    form: 'seqno 0xfffffffe',
    does:
      'The sequence number of the last fence before the run: the first one has the next. They are counted modulo 2^32, and ' +
      '0 is left out.',
  },
  with: {
    form: 'with bz-01',
    does:
      'Adds variants of the kernel (`coherence variants` lists them). `omit.FUNCTION.NAME` and ' +
      '`swap.FUNCTION.NAME.NAME` are such as everybody can make: where the function calls or sets that name nothing is ' +
      'done, or two such places are exchanged.',
  },
  without: { form: 'without bz-01', does: 'Takes variants out of the preset.' },
} as const satisfies Record<string, Entry>;

export const trackings = ['auto', 'pagetable', 'mkwrite', 'off'] as const;
export type Tracking = (typeof trackings)[number];

/** Who keeps the memory of coherent surfaces so. */
export const memories = ['coherent', 'explicit', 'layer', 'noncoherent'] as const;
export type Memory = (typeof memories)[number];

/** What the device knows. */
export const devices = ['sm5', 'sm4_1', 'sm4', 'gb'] as const;
export type Device = (typeof devices)[number];

/** How commands come to the device. */
export const submissions = ['stream', 'buffers', 'fifo'] as const;
export type Submission = (typeof submissions)[number];

export const ATOM_MAX = 4096;
export const CPUS_MAX = 8;
export const SEQNO_MAX = 0xffffffff;
export const MOB_PAGES_MAX = 262144;
export const VRAM_PAGES_MAX = 32768;
export const VRAM_PAGES_DEFAULT = 1024;
export const SURFACE_BYTES_MAX = 1024 * 1024 * 1024;

/** What `explore { … }` can set. */
export const exploreSettings = {
  bound: {
    form: 'bound 3',
    does: 'Only orders with at most so many switches away from somebody who could go on.',
  },
  states: { form: 'states 100000', does: 'Stop after so many different states.' },
} as const satisfies Record<string, Entry>;

/** What a line of `schedule { … }` can say. */
export const scheduleForms = {
  until: { form: 'render until idle', does: 'It goes until it cannot go on by itself.' },
  event: {
    form: 'render until vmw_mkwrite',
    does:
      'It goes until it makes an event of this name, a tracepoint. While it waits, interrupts come and the device goes ' +
      'on, but no other thread does.',
  },
  returns: {
    form: 'render until vmw_bo_vm_mkwrite returns',
    does:
      'It goes until this function has returned; `is called`: until it has been entered. A function that is called ' +
      'through a pointer may have its name: `pfn_mkwrite`.',
  },
  count: {
    form: 'render for 3 statements',
    does: 'It goes so far; `steps` are micro-steps. A statement of `gpu` is a command of the device.',
  },
  chooses: {
    form: 'render chooses "has been dropped"',
    does: 'It goes to the next point at which more than one thing may happen, and this happens.',
  },
  interrupt: {
    form: 'interrupt cpu0',
    does: 'The interrupt that is pending on this CPU comes, and its handler goes to its end.',
  },
} as const satisfies Record<string, Entry>;

/** What `outcomes (…) { … }` says of a tuple of values. */
export const outcomeWords = {
  allowed: { form: 'allowed (0, 1)', does: 'Some order may end so.' },
  required: { form: 'required (1, 1)', does: 'At least one order ends so.' },
  forbidden: { form: 'forbidden (1, 0)', does: 'No order ends so.' },
} as const satisfies Record<string, Entry>;

export type OutcomeWord = keyof typeof outcomeWords;

/** Behind `surface NAME:`. */
export const surfaceAttributes = {
  buffer: {
    form: 'buffer 96KiB',
    does: 'A buffer (SVGA3D_BUFFER): one subresource, bytes in a row.',
  },
  texture: {
    form: 'texture rgba8 256 by 256 mips 9',
    does:
      'A texture of one to three sides (`64 by 64 by 4`) in pixels. Its bytes lie layer after layer, level after level, ' +
      'slice after slice, row after row; each level of a layer is a subresource with a dirty box of its own.',
  },
  cube: {
    form: 'cube rgba8 64 mips 7',
    does: 'A cube: six faces of one side, each a layer.',
  },
  coherent: {
    form: 'coherent',
    does: 'The driver keeps CPU and GPU coherent by itself: drm_vmw_surface_flag_coherent, the writes of the CPU are tracked.',
  },
  by: { form: '256 by 256', does: 'Stands between the sides of a texture.' },
  mips: { form: 'mips 9', does: 'Levels of detail, each half as large as the one before.' },
  layers: { form: 'layers 4', does: 'Layers of an array texture.' },
  samples: {
    form: 'samples 2',
    does: 'Samples of a pixel; each is a sheet of its own behind the others.',
  },
  in: {
    form: 'in ring offset 4 pages',
    does:
      'The surface lies in the memory of another one, declared before: one buffer object, one tracker, several ' +
      'resources in its tree. Without an offset both begin at the same byte and share pages, as all surfaces do that user ' +
      'space of vmwgfx places in one buffer.',
  },
  offset: { form: 'offset 4 pages', does: 'Where in the memory of the other surface.' },
  later: {
    form: 'later',
    does: 'The surface is not there from the beginning: `create` makes it.',
  },
} as const satisfies Record<string, Entry>;

/** Behind `map SURFACE`. */
export const mapWords = {
  private: {
    form: 'private',
    does: 'MAP_PRIVATE: a store makes a copy of the page that the GPU never sees.',
  },
  readonly: { form: 'readonly', does: 'PROT_READ: a store is an error of the application.' },
} as const satisfies Record<string, Entry>;

/** Behind `submit { … } as done`. */
export const submitWords = {
  exported: {
    form: 'exported',
    does: 'DRM_VMW_EXECBUF_FLAG_EXPORT_FENCE_FD: the fence is a sync file as well.',
  },
} as const satisfies Record<string, Entry>;

/** Behind `bind picture` and `unbind`: the points of a context. */
export const bindWords = {
  target: {
    form: 'target',
    does: 'Render target, by a view: DX_SET_RENDERTARGETS. A draw writes it.',
  },
  depth: { form: 'depth', does: 'Depth and stencil, by a view: as a render target.' },
  stream: { form: 'stream', does: 'Stream-output target: DX_SET_SOTARGETS. A draw writes it.' },
  storage: {
    form: 'storage',
    does: 'Unordered access, by a view: DX_SET_UA_VIEWS. Taken for written.',
  },
  resource: {
    form: 'resource',
    does: 'Shader resource, as a texture is, by a view: DX_SET_SHADER_RESOURCES. A draw reads it.',
  },
  vertices: {
    form: 'vertices',
    does: 'Vertex buffer: DX_SET_VERTEX_BUFFERS. A draw reads it.',
  },
  indices: { form: 'indices', does: 'Index buffer: DX_SET_INDEX_BUFFER. A draw reads it.' },
  constants: {
    form: 'constants',
    does: 'Constant buffer: DX_SET_SINGLE_CONSTANT_BUFFER. A draw reads it.',
  },
} as const satisfies Record<PointName, Entry>;

/** Behind `grab ring`. */
export const grabWords = {
  shared: { form: 'shared', does: 'drm_vmw_synccpu_allow_cs: submissions may go on.' },
  nowait: { form: 'nowait', does: 'drm_vmw_synccpu_dontblock: EBUSY instead of waiting.' },
} as const satisfies Record<string, Entry>;

/** Behind `pin ring` and `unpin ring`. */
export const pinWords = {
  in: { form: 'in vram', does: 'Stands in front of the place.' },
  vram: { form: 'in vram', does: 'The memory of the device, which CPUs reach through a BAR.' },
  vram_or_gmr: {
    form: 'in vram_or_gmr',
    does: 'The same while there is room without others, else a guest memory region (GMR): system pages with an id.',
  },
} as const satisfies Record<string, Entry>;

export type PinPlace = Exclude<keyof typeof pinWords, 'in'>;

/** Behind `wait done`: how, or how long. */
export const waitWords = {
  event: { form: 'event', does: 'FENCE_EVENT, and read(2) until the driver has sent the event.' },
  timeout: { form: 'timeout', does: 'The time may run out, which is a choice: EBUSY.' },
  nowait: { form: 'nowait', does: 'No time at all: EBUSY when the fence has not signaled.' },
} as const satisfies Record<string, Entry>;

export type WaitWord = keyof typeof waitWords;

/** Behind `protect p`. */
export const protections = {
  none: { form: 'none', does: 'PROT_NONE: no access at all.' },
  readonly: { form: 'readonly', does: 'PROT_READ.' },
  readwrite: { form: 'readwrite', does: 'PROT_READ | PROT_WRITE.' },
} as const satisfies Record<string, Entry>;

export type ProtectionName = keyof typeof protections;

/** Behind `advise p`. */
export const advices = {
  normal: { form: 'normal', does: 'MADV_NORMAL: takes `random` and `sequential` back.' },
  random: {
    form: 'random',
    does: 'MADV_RANDOM: VM_RAND_READ; a fault inserts one page, none beside it.',
  },
  sequential: { form: 'sequential', does: 'MADV_SEQUENTIAL: VM_SEQ_READ.' },
  dontneed: {
    form: 'dontneed',
    does: 'MADV_DONTNEED: takes the pages out; not allowed for VM_PFNMAP.',
  },
  dontfork: { form: 'dontfork', does: 'MADV_DONTFORK: VM_DONTCOPY, children do not have it.' },
  dofork: { form: 'dofork', does: 'MADV_DOFORK: takes `dontfork` back; refused for VM_IO.' },
  cold: { form: 'cold', does: 'MADV_COLD: clears the accessed bits; not allowed for VM_PFNMAP.' },
  populate_read: {
    form: 'populate_read',
    does: 'MADV_POPULATE_READ: faults all pages in by get_user_pages(), which refuses VM_IO.',
  },
  populate_write: {
    form: 'populate_write',
    does: 'MADV_POPULATE_WRITE: as `populate_read`, for writing.',
  },
} as const satisfies Record<string, Entry>;

export type AdviceName = keyof typeof advices;

/** Behind `fail POINT`. */
export const failureWords = {
  once: { form: 'once', does: 'The next time only.' },
  always: { form: 'always', does: 'Every time from here on.' },
  never: { form: 'never', does: 'Not any more.' },
  times: { form: '3 times', does: 'The next times, so many.' },
  after: { form: 'after 2', does: 'It goes well so many times before.' },
} as const satisfies Record<string, Entry>;

/** Why a call failed, or the signal an access ended with: what stands behind `else` is one of these, or 0. */
export const errors = {
  EPERM: { value: EPERM, does: 'not permitted' },
  ENOENT: { value: ENOENT, does: 'no such thing' },
  EINTR: { value: EINTR, does: 'interrupted by a signal' },
  EIO: { value: EIO, does: 'an error of the device' },
  ENOMEM: { value: ENOMEM, does: 'no memory, or nothing is mapped there' },
  EACCES: { value: EACCES, does: 'the mapping or the file does not allow it' },
  EFAULT: { value: EFAULT, does: 'a bad address' },
  EBUSY: { value: EBUSY, does: 'in use' },
  EEXIST: { value: EEXIST, does: 'something is there already' },
  EINVAL: { value: EINVAL, does: 'not a valid argument' },
  ENOSPC: { value: ENOSPC, does: 'no room on the device' },
  SIGBUS: { value: SIGBUS, does: 'signal of an access that the mapping cannot serve' },
  SIGKILL: { value: SIGKILL, does: 'signal of the OOM killer' },
  SIGSEGV: {
    value: SIGSEGV,
    does: 'signal of an access that is not allowed, or where nothing is mapped',
  },
} as const;

/** The fields behind each look, by its name. */
export const fieldsOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  pte: pteFields,
  pmd: pteFields,
  pud: pteFields,
  pgd: pteFields,
  tlb: tlbFields,
  vma: vmaFields,
  pagemap: pagemapFields,
  tracker: trackerFields,
  box: boxFields,
};

/** Fields that are numbers; all others hold or do not. */
export const numberFields: ReadonlySet<string> = new Set([
  'frame',
  'key',
  'start',
  'end',
  'offset',
  'seqno',
  'x',
  'y',
  'z',
  'w',
  'h',
  'd',
]);

/** What each statement that has a word of its own means. */
export const statementMeanings: Readonly<Record<keyof typeof forms, string>> = {
  scenario: 'Begins a scenario; it ends where the next one begins or with the file.',
  import:
    'Brings what stands before the first scenario of another file: constants, procedures, surfaces, the machine.',
  const: 'Names a value that is known before the run, for the whole scenario.',
  procedure:
    'Statements under a name. A call gives it values, surfaces, mappings, ranges, fences or events; the debugger shows it as a frame of its own.',
  outcomes:
    'What may come out: the search collects what is looked at here at the end of every order, and compares it with these lines.',
  machine: 'Which kernel on how many CPUs.',
  explore: 'Limits for the search through all orders: `coherence explore`.',
  schedule:
    'Who goes first, before the default schedule: as a run or a search printed it, or in words, one line after the other.',
  surface:
    'A guest-backed surface: a buffer object in memory (MOB) and a copy of its own on the device.',
  process:
    'A process with an address space of its own. What stands in it outside of its threads runs first, in order; then its threads start together. `process child forks app` is one that begins with `fork child` and has the mappings of `app`.',
  thread: 'A thread of the process; it stays on its CPU.',
  let: 'Names a value. It stays what it was when the line ran.',
  repeat: 'Does the block so many times; the name behind `as` counts from 0.',
  if: 'Does the block when the condition holds, and what stands behind `else` when not.',
  assert: 'Must hold when the thread comes here. It only looks.',
  always: 'Must hold before the first step of a run and after each.',
  never: 'Must not hold, neither before the first step nor after any.',
  finally:
    'Must hold when all threads have ended and the GPU is idle. `finally violation`: this scenario shows a fault, and a ' +
    'broken contract is what is expected.',
};
