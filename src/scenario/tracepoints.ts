// The events of a run that expressions can ask about, by the names of their tracepoints: what each says, and its
// arguments. Addresses of the emulator's own objects are left out; a test compares the table with the tracepoints.
export interface TracepointEntry {
  readonly does: string;
  readonly args: Readonly<Record<string, 'number' | 'boolean'>>;
}

/** Arguments are separated by blanks; those that hold or do not have a question mark. */
function of(does: string, args = ''): TracepointEntry {
  const names = args.split(' ').filter((arg) => arg !== '');
  const typed = names.map((arg) => [
    arg.replace('?', ''),
    arg.endsWith('?') ? ('boolean' as const) : ('number' as const),
  ]);
  return { does, args: Object.fromEntries(typed) };
}

/** What `events(…)`, `first(…)` and `last(…)` can be asked about. */
export const tracepoints: Readonly<Record<string, TracepointEntry>> = {
  page_fault: of('a page-fault exception', 'address error_code cpu pid'),
  mm_fault: of('handle_mm_fault() is done with a fault', 'address flags ret'),
  perf_page_fault: of('a fault was handled, and counts as major or minor', 'address major?'),
  vmw_mkwrite: of('the driver was asked before a page becomes writable', 'page marked?'),
  vmw_bo_dirty_scan: of('a scan for written pages', 'method count start end'),
  vmw_bo_dirty_method: of('the tracker changed its method', 'method'),
  vmw_bo_dirty_transfer: of('noted pages went over to a surface', 'start end'),
  vmw_bo_dirty_unmap: of('pages were taken out of all mappings', 'start end'),
  vmw_dirty_sync: of(
    'an update command for the dirty box of a surface',
    'sid image x y z w h d bytes',
  ),
  vmw_readback: of('a readback command of the driver', 'sid'),
  memory_flushed: of(
    'the application says that it has stored bytes of memory that is not coherent',
    'offset length from',
  ),
  memory_abandoned: of(
    'the application gives up what bytes of a surface hold',
    'offset length submission',
  ),
  memory_invalidated: of(
    'the application asks for bytes that the GPU wrote to memory that is not coherent',
    'offset length submission',
  ),
  user_update: of('user space sends written bytes itself', 'image x y z w h d bytes'),
  user_readback: of('user space has a surface read back', 'bytes'),
  layer_mark: of('a capture layer noted a page as written', 'page'),
  layer_protect: of(
    'a capture layer protected a range: 0 nothing is allowed, 1 loads, 3 stores too',
    'address length prot',
  ),
  vmw_execbuf: of('a submission was handed to the device', 'task seqno'),
  ttm_eu_backoff: of(
    'a submission gave up what it had reserved, for an object that an older one has',
  ),
  ttm_bo_move: of('a buffer object moved: 0 is system placement, 4 that of MOBs', 'old placement'),
  dma_fence_emit: of('a fence was made', 'seqno'),
  dma_fence_signaled: of('a fence was signaled', 'seqno'),
  dma_fence_wait_start: of('somebody begins to wait for a fence', 'seqno task'),
  dma_fence_wait_end: of('somebody has waited for a fence', 'seqno task'),
  tlb_flush: of('a TLB was flushed', 'cpu reason'),
  tlb_stale: of(
    'an access went through a translation that memory no longer holds',
    'cpu address write?',
  ),
  mmu_notifier_range_start: of('a range of an address space is about to change', 'event start end'),
  mmu_notifier_range_end: of('a range of an address space has changed', 'event start end'),
  pagemap_entry: of('an entry of pagemap was read', 'address flags'),
  should_fail: of('a point failed because the scenario said so', 'point'),
  warn: of('the emulated kernel warned', 'where'),
  cpu_store: of('a store reached memory', 'cpu address pfn length unique? value'),
  cpu_load: of('a load read memory; `value` is its first byte', 'cpu address pfn length value'),
  gpu_read: of('the device read its copy of a surface', 'sid offset length submission'),
  gpu_write: of('the device wrote its copy of a surface', 'sid offset length value submission'),
  gpu_copy: of(
    'the device copied bytes between surfaces',
    'sid offset length source from submission',
  ),
  svga_command: of('the device took a command', 'id sid offset length bytes'),
  svga_fence: of('the device passed a fence command', 'seqno'),
  svga_irq: of('the device raised its interrupt'),
  svga_cb: of(
    'the device gave a command buffer back: 1 done, 3 a command was refused, 5 not begun',
    'status',
  ),
  vmw_cmdbuf_error: of('the driver met a command that the device had refused', 'id offset'),
  svga_error: of('the device refused a command', 'id sid submission'),
  surface_created: of('a surface exists', 'bytes coherent? sid offset fresh?'),
  surface_mapped: of('a surface was mapped', 'address length offset'),
  surface_destroyed: of('the handle of a surface was given back'),
  surface_unmapped: of('a range was unmapped', 'address length'),
  surface_moved: of('a mapping moved', 'address length'),
  surfaces_inherited: of('a child got the mappings of its parent', 'from'),
  submit: of('an application hands a submission to the driver', 'submission'),
  fence_waited: of('a thread knows that a submission is over', 'submission'),
  synchronized: of('a thread began behind another, or went on because of its event', 'from'),
  violation: of('the contract was broken'),
  race: of('the application raced with the GPU'),
  assertion: of('a statement failed or a property was broken'),
};
