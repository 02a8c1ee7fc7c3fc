// The registry of variants: named differences between kernel versions and named faults, each with a sentence, its
// source, the releases it is found in and the routines that ask for it. Presets are sets of them.

import type { Deviation, VariantSet } from '../routine/routine';

export interface Variant {
  readonly id: string;
  readonly sentence: string;
  readonly source: string;
  readonly releases: string;
}

const registry = [
  {
    id: 'mm-6.1',
    sentence:
      'The fault path of 6.1: retries may repeat, mkwrite may not drop mmap_sem, the dirty helpers walk by pagewalk.',
    source: 'mm/memory.c, mm/pagewalk.c, mm/mapping_dirty_helpers.c of Linux 6.1',
    releases: '5.5 and later',
  },
  {
    id: 'tlb-6.1',
    sentence:
      'A shootdown flushes here while the other CPUs are on their way, and a CPU that has caught up with a request ignores it.',
    source: 'flush_tlb_multi() and flush_tlb_func() of arch/x86/mm/tlb.c, 5.13 and 6.0',
    releases: '5.13 and 6.0, later',
  },
  {
    id: 'walk-stops',
    sentence:
      'A private mapping hides all later ones from the walk, which ends at the first VMA that it does not want.',
    source: 'walk_page_mapping() of mm/pagewalk.c, Linux 5.5 to 6.1',
    releases: '5.5 and later',
  },
  {
    id: 'no-private-mappings',
    sentence: 'TTM refuses private writable mappings with EINVAL.',
    source:
      'ttm_bo_mmap_obj() of drivers/gpu/drm/ttm/ttm_bo_vm.c, Linux 5.14 and later (f91142c62161)',
    releases: '5.14 and later',
  },
  {
    id: 'pfnmap',
    sentence: 'Mappings of buffer objects are VM_PFNMAP instead of VM_MIXEDMAP.',
    source: 'drivers/gpu/drm/ttm/ttm_bo_vm.c, Linux 5.14 and later',
    releases: '5.14 and later',
  },
  {
    id: 'mprotect-escape',
    sentence:
      'mprotect back to writable makes dirty entries writable at once: later writes escape tracking by mkwrite.',
    source:
      'can_change_pte_writable() of mm/mprotect.c, Linux 6.1; change_pte_range() there, dirty_accountable, in 5.1',
    releases: 'all up to 6.1 and later',
  },
  {
    id: 'drm-6.1',
    sentence:
      'The fault helpers of 6.1: a contended fault without retries sleeps, mkwrite offers no retry, waits are by usage.',
    source: 'ttm_bo_vm.c and vmw_bo_vm_mkwrite() of vmwgfx_page_dirty.c, Linux 6.1',
    releases: '5.5 and later',
  },
  {
    id: 'huge-faults',
    sentence:
      'TTM serves read faults with huge entries where it can: 2 MiB or 1 GiB of a buffer object in one.',
    source:
      'ttm_bo_vm_insert_huge() and vmw_bo_vm_huge_fault(), Linux 5.7 to 5.15 (314b6580adc5, removed by 0d979509539e)',
    releases: '5.7 to 5.15',
  },
  {
    id: 'prefault-stops',
    sentence:
      'A fault on a buffer object maps two pages at most: success after the first ends the loop.',
    source:
      'ttm_bo_vm_fault() of ttm_bo_vm.c, 4.19 to 5.3 (4daa4fba3a38, restored by 941f2f72dbbe)',
    releases: '4.19 to 5.3',
  },
  {
    id: 'surface-v4',
    sentence:
      'The driver knows shader model 5, and defines surfaces by DEFINE_GB_SURFACE_V4 on a device that has it.',
    source: 'vmw_gb_surface_create() of vmwgfx_surface.c, Linux 5.8 and later',
    releases: '5.8 and later',
  },
  {
    id: 'write-combined',
    sentence:
      'What the device may know of is write-combined, in 5.1 by placement, in 6.1 for good: vmwgfx asks for cached memory throughout.',
    source:
      'ttm_io_prot(), ttm_tt_set_placement_caching() and ttm_mem_reg_is_pci(), as drivers use them whose device does not snoop (radeon, nouveau)',
    releases: 'none for vmwgfx',
  },
  {
    id: 'reserve-outside-mutex',
    sentence:
      'A submission lets go of cmdbuf_mutex while it reserves and places its objects, each named as often as its commands name it: two submissions meet there, each with a ticket.',
    source:
      'ttm_eu_reserve_buffers() as drivers call it that have no such mutex: amdgpu_cs.c, radeon_object.c, nouveau_gem.c, qxl_release.c of Linux 5.1',
    releases: 'none for vmwgfx',
  },
  {
    id: 'no-tickets',
    sentence:
      'Objects of a submission are reserved without a ticket: two that have them in other orders wait for each other.',
    source:
      'a fault put in: what wound/wait mutexes are for (Documentation/locking/ww-mutex-design)',
    releases: 'none',
  },
  {
    id: 'backoff-keeps',
    sentence: 'A submission that has to give way to an older ticket keeps what it has reserved.',
    source:
      'a fault put in: ttm_eu_reserve_buffers() of ttm_execbuf_util.c without ttm_eu_backoff_reservation_reverse()',
    releases: 'none',
  },
  {
    id: 'slots-kept',
    sentence:
      'A submission that finds no room for the fence of an object fails, and that object stays reserved for ever.',
    source:
      'ttm_eu_reserve_buffers() of ttm_execbuf_util.c as read, no report is known: the back-off begins before the object at hand; vmwgfx asks for room since 5.19',
    releases: '5.19 and later',
  },
  {
    id: 'bz-01',
    sentence:
      "A resource's transfer of dirty pages swallows its neighbour's: max() where min() is meant.",
    source:
      'vmw_bo_dirty_transfer_to_res() of vmwgfx_page_dirty.c, 5.5 to mid-2026 (fixed by f47d542d5912)',
    releases: '5.5 to 6.1 and later',
  },
  {
    id: 'bz-02',
    sentence: 'A union of dirty boxes forgets the old far edge when the near one moves.',
    source: 'vmw_subres_dirty_add() of vmwgfx_surface.c, 5.5 and later',
    releases: '5.5 and later',
  },
  {
    id: 'bz-03',
    sentence:
      'Generating mips, which writes through a view for reading, does not make the surface GPU-dirty: CPUs go on seeing old levels.',
    source:
      'vmw_cmd_dx_genmips() of vmwgfx_execbuf.c, 5.2 to 5.13 (a9f58c456e9d, fixed by 75156a887b6c)',
    releases: '5.2 to 5.13',
  },
  {
    id: 'bz-04',
    sentence:
      'Dirty boxes go to the device by UPDATE_GB_IMAGE, which knows faces of cubes but no layers of arrays.',
    source:
      'vmw_surface_dirty_sync() of vmwgfx_surface.c as posted, to 5.14 (fixed by a12be0277316, 5.15)',
    releases: '5.5 to 5.14',
  },
  {
    id: 'sheets-folded',
    sentence:
      'A dirty range that reaches from one sample sheet into the next is folded into one sheet: part of it is lost.',
    source: 'vmw_surface_tex_dirty_range_add() of vmwgfx_surface.c as posted, fixed in 2021',
    releases: '5.5 to 5.13',
  },
  {
    id: 'multisample-stride',
    sentence:
      'Strides of multisample surfaces count all samples, the sizes of levels one: a dirty page gives too few rows.',
    source:
      'vmw_surface_setup_cache() of vmw_surface_cache.h, from the fourth posting on; that sheets lie one after the other is our reading',
    releases: '5.5 and later',
  },
  {
    id: 'bz-05',
    sentence:
      'A test the wrong way round: surfaces stay bound when their buffer object is evicted, and nothing is read back.',
    source:
      'vmw_move_notify() of vmwgfx_ttm_buffer.c, 5.17 (broken by 8afa13a0583f, fixed by 298799a28264, 5.18)',
    releases: '5.17',
  },
  {
    id: 'size-for-dirty',
    sentence:
      'Unbinding the surfaces of an evicted buffer object sets the size where the dirty flag is meant: nothing is uploaded when they come back.',
    source:
      'vmw_resource_unbind_list() of vmwgfx_resource.c, 6.4 to 2026 (668b206601c5, which renamed the fields)',
    releases: '6.4 to 2026',
  },
  {
    id: 'bz-06',
    sentence:
      'A surface that is placed in the buffer of another gives the reference back: the buffer goes with the first one.',
    source:
      'surfaces without a reference to the object behind the handle, to 6.5 (CVE-2023-5633); here the object behind the handle of a surface',
    releases: 'to 6.5',
  },
  {
    id: 'bz-18',
    sentence:
      'A private writable mapping of bare frames is accepted, and the first access to it is a BUG of the kernel.',
    source:
      'mmap() of drivers without the check of ttm_bo_mmap_obj(), as drm_gem_shmem_mmap() to 6.9 (39bc27bd6880, CVE-2024-39497)',
    releases: 'to 6.9',
  },
  {
    id: 'bz-19',
    sentence: 'Who reads a buffer object for a debugger does not ask whether it is anywhere.',
    source:
      'ttm_bo_vm_access() of ttm_bo_vm.c, up to 6.18 (fixed by 491adc6a0f99, CVE-2025-71083); there the resource is missing, in 5.1 the pages',
    releases: 'up to 6.18',
  },
  {
    id: 'bz-20',
    sentence: 'Who looks for a victim does not ask whether the buffer object is pinned.',
    source: 'ttm_bo_evict_swapout_allowable() of ttm_bo.c, to 6.4 (fixed by a2848d08742c)',
    releases: 'to 6.4',
  },
  {
    id: 'bz-07',
    sentence:
      "Giving a coherent surface up counts the users of its object's tracker down twice: it is freed under a surface that relies on it.",
    source:
      'vmw_bo_dirty_release() of vmwgfx_page_dirty.c: a plain counter notices no underflow, 5.5 to 2025 (a kref since c1962742ffff); the second decrement is put in',
    releases: 'none: the counter that does not notice, 5.5 to 2025',
  },
  {
    id: 'bz-08',
    sentence:
      'When a surface gets no dirty box, validation destroys it on the device and leaves it attached: later commands name a dead id.',
    source:
      'the cure that a patch of 2026 to vmw_resource_do_validate() suggests; the kernels themselves leave the surface as it is, which the next validation repairs',
    releases: 'none',
  },
  {
    id: 'bz-09',
    sentence:
      'A submission enters a surface into the table of duplicates before it has a reference: one that is going stays there, and its node is freed.',
    source:
      'vmw_validation_add_resource() of vmwgfx_validation.c, 4.20 to 6.17 (64ad2abfe9a6, fixed by dfe1323ab3c8, CVE-2025-40111)',
    releases: '4.20 to 6.17',
  },
  {
    id: 'bz-10',
    sentence:
      'The first of two users of the kernel map of a buffer object takes it away from the other.',
    source:
      'vmw_bo_unmap() of vmwgfx_bo.c, 5.19 to 6.10 (aba07b9a0587 "Prevent unmapping active read buffers", CVE-2024-46710)',
    releases: '5.19 to 6.10',
  },
  {
    id: 'bz-11',
    sentence: 'A fault cleans the resources of 4096 pages, for a page count was taken for bytes.',
    source: 'vmw_bo_vm_fault() of vmwgfx_page_dirty.c, 5.5 to 6.1',
    releases: '5.5 and later',
  },
  {
    id: 'bz-21',
    sentence:
      'The walk of the dirty helpers splits a huge entry that it meets, and with the entry goes its dirty bit.',
    source:
      'wp_clean_pmd_entry() of mm/mapping_dirty_helpers.c, which warned and left the entry to the split of mm/pagewalk.c; 5.5 and 5.6, where no driver had huge entries yet (7b6b88969e66 of 5.7)',
    releases: '5.5 and 5.6',
  },
  {
    id: 'huge-skipped',
    sentence:
      'When the tracking of an object begins, huge entries that are writable or dirty are passed over with a warning: what was and is stored through them is not noticed.',
    source:
      'vmw_bo_dirty_add() and wp_clean_pmd_entry(), with the huge faults of 5.7 to 5.15. Without it their pages are noted and they are taken out: a cure of ours',
    releases: '5.7 to 5.15',
  },
  {
    id: 'huge-in-flight',
    sentence:
      'A write fault that found its object untracked goes on to map a writable huge entry, although tracking has begun meanwhile.',
    source:
      'vmw_bo_vm_huge_fault() of vmwgfx_page_dirty.c, which asks for the tracker once, before it has the reservation. Without it the fault asks again: a cure of ours',
    releases: '5.7 to 5.15',
  },
  {
    id: 'first-bind-empty',
    sentence:
      'A surface that is made in a buffer that holds something gets nothing of it at its first bind, but what has a dirty bit left.',
    source:
      'vmw_gb_surface_define_internal() of vmwgfx_surface.c, which leaves backup_dirty clear. Without it the first bind uploads all: a cure of ours',
    releases: 'all up to 6.1 and later',
  },
  {
    id: 'bz-22',
    sentence:
      'Dirty pages are recorded in one pass and their dirty bits cleaned in another: a store in between is wiped away unrecorded.',
    source:
      'the order of clear_page_dirty_for_io() before 2.6.20 (7658cc289288), in the terms of the dirty helpers',
    releases: 'up to 2.6.19, there of page cache',
  },
  {
    id: 'shared-pages',
    sentence:
      'A dirty page that two surfaces of one buffer object have goes to the one that is validated first: the other never hears of it.',
    source:
      'vmw_bo_dirty_transfer_to_res() of vmwgfx_page_dirty.c. Without it all that are attached hear of it: a cure of ours',
    releases: '5.5 and later',
  },
  {
    id: 'bz-23',
    sentence:
      'mkwrite notes the page and lets the reservation go before the entry is writable: a scan in between uses the note up.',
    source:
      'vmw_bo_vm_mkwrite() of vmwgfx_page_dirty.c; the core closed the like for file systems in 2.6.30 (b827e496c893). Without it the driver makes the entry writable itself, under the reservation: a cure of ours',
    releases: '5.5 and later',
  },
  {
    id: 'bz-24',
    sentence:
      'Entries of bare frames are taken out under the lock of their table and flushed after it: until then stores go through old translations, and who looks at the entry sees none.',
    source:
      'zap_pte_range() of mm/memory.c; for pages closed in 3.15 (1cf35d47712d). Without it bare frames are flushed as pages are: a cure of ours',
    releases: 'all, for bare frames',
  },
  {
    id: 'bz-25',
    sentence:
      'mremap() flushes the old addresses only after it has let go of the tables: stores go on there, to entries that others work on at the new place.',
    source: 'move_ptes() of mm/mremap.c up to 4.19 (eb66ae030829, CVE-2018-18281)',
    releases: 'up to 4.19',
  },
  {
    id: 'bz-26',
    sentence:
      'mprotect() flushes only what it changed itself: an entry that somebody has taken out and not flushed yet can still be written after it has returned.',
    source:
      'change_protection() of mm/mprotect.c up to 4.12 (3ea277194daa; what was left of it 383c4613c67c, 2025)',
    releases: 'up to 4.12; in parts to 2025',
  },
  {
    id: 'bz-27',
    sentence:
      'clear_refs write-protects entries and does not flush the TLB: stores go on through old translations, unnoticed.',
    source:
      'clear_refs_write() of fs/proc/task_mmu.c, 4.14 to 5.10 (0758cd830494, fixed by 912efa17e512)',
    releases: '4.14 to 5.10',
  },
  {
    id: 'bz-28',
    sentence:
      'A fault on an object whose writes are found by dirty bits maps it writable although soft-dirty waits for the first write.',
    source:
      'vmw_bo_vm_fault() of vmwgfx_page_dirty.c, which takes vm_get_page_prot() for vma->vm_page_prot; for the core closed in 3.18 (64e455079e1b)',
    releases: '5.5 and later',
  },
  {
    id: 'bz-29',
    sentence:
      'mprotect() gives write access back although soft-dirty waits for the first write: a flag is taken the wrong way round.',
    source:
      'change_pte_range() and can_change_pte_writable() of mm/mprotect.c, 3.18 to 5.19 (fixed by 76aefad628aa, 6.0)',
    releases: '3.18 to 5.19',
  },
  {
    id: 'bz-30',
    sentence:
      'clear_refs write-protects entries and tells no secondary MMU: a device goes on writing by its own tables.',
    source: 'clear_refs_write() of fs/proc/task_mmu.c up to 3.10; fixed in 3.11',
    releases: 'up to 3.10',
  },
  {
    id: 'bz-31',
    sentence: 'An entry that is moved comes back clean: its dirty bit is not carried over.',
    source:
      'migrate_vma_collect_pmd() of mm/migrate_device.c up to 6.0 (fd35ca3d12cc), where an entry gives way to another; here in move_ptes() of mm/mremap.c, there being no migration',
    releases: 'up to 6.0, there for migration',
  },
  {
    id: 'bz-32',
    sentence:
      'Write-protecting an entry loses its dirty bit, as where hardware says dirty by writable and not read-only.',
    source:
      'pte_wrprotect() of arch/arm64 up to 5.9 (fixed by ff1712f953e2), here in the dirty helpers',
    releases: 'up to 5.9, arm64',
  },
  {
    id: 'bz-33',
    sentence:
      'The dirty helpers read an entry, change it and store it back: a dirty bit that a CPU sets in between is overwritten.',
    source:
      'a walk without lock and without the pair of start and commit, as before "mm: pagewalk: Take the pagetable lock in walk_pte_range()" (5.5)',
    releases: 'none: what the series takes care of',
  },
  {
    id: 'bz-35',
    sentence:
      'Beginning to write-protect flushes only where an entry was changed: a translation that somebody else left behind stays writable.',
    source:
      'apply_as_range(), wp_clean_post_vma(); in KVM enabling the dirty log was so up to 5.19 (fixed by b64d740ea7dd). Without it every write-protection flushes: a cure of ours',
    releases: '5.5 and later',
  },
  {
    id: 'bz-36',
    sentence:
      'mkwrite notes the page by its place in the mapping instead of its place in the buffer object.',
    source:
      'the shape of "vhost: log dirty page correctly" (cc5e71075947, 5.0): a log in the wrong address space',
    releases: 'up to 4.20, there in vhost',
  },
  {
    id: 'bz-12',
    sentence:
      'A sync file does not keep the fence interrupt on: who only polls it is never woken while nobody else waits.',
    source:
      'vmw_execbuf_process() of vmwgfx_execbuf.c, 4.14 to 6.15 (fixed by 0039a3b35b10, 6.16, and in 5.4 to 6.12)',
    releases: '4.14 to 6.15',
  },
  {
    id: 'bz-13',
    sentence:
      'Asked whether all fences of a buffer are signaled, a reservation with shared ones forgets the exclusive one.',
    source:
      'reservation_object_test_signaled_rcu() and dma_resv_test_signaled() of dma-resv.c (fixed by 9d38814d1e34, 5.15)',
    releases: 'up to 5.14',
  },
  {
    id: 'bz-14',
    sentence:
      'A fence array that is only looked at never gets signaled: it counts signals that nobody asked its members for.',
    source: 'dma_fence_array_signaled() of dma-fence-array.c (fixed by 78ac1c355881, 6.13)',
    releases: 'up to 6.12',
  },
  {
    id: 'bz-15',
    sentence: 'A wait of no time for a reservation sleeps a tick instead of returning at once.',
    source: 'dma_resv_wait_timeout() of dma-resv.c ("fix timeout handling", 6.16)',
    releases: 'up to 6.15',
  },
  {
    id: 'bz-16',
    sentence: 'A fault that waits for a move keeps a reference to its fence for ever.',
    source: 'ttm_bo_vm_fault_reserved() of ttm_bo_vm.c, 5.7 ("Fix dma_fence refcnt leak", 5.8)',
    releases: '5.7',
  },
  {
    id: 'goal-later',
    sentence:
      'A fence event replaces the goal of the device by a later one: events of earlier fences come late.',
    source:
      'vmw_fence_goal_check_locked() of vmwgfx_fence.c, whose comparison is the other way round than its comment',
    releases: 'up to 6.1 and later',
  },
  {
    id: 'bz-53',
    sentence:
      'Every move of a buffer object zaps its PTEs, so dirty bits set before the first submission are lost.',
    source: 'ttm_bo_handle_move_mem() of drivers/gpu/drm/ttm/ttm_bo.c, about 5.9 to 6.1',
    releases: '5.9 to 6.1',
  },
  {
    id: 'hz-1',
    sentence:
      'Hazard: changing to write-protection cleans and records first and protects then: a store in between keeps its dirty bit, at which nobody looks any more.',
    source: 'the comment in vmw_bo_dirty_scan_pagetable() on the order of the two',
    releases: 'none',
  },
  {
    id: 'hz-2',
    sentence: 'Hazard: pages are taken out of the page tables without collecting their dirty bits.',
    source:
      'the comment on vmw_bo_dirty_unmap() ("may leak dirty pages"), without vmw_bo_dirty_pre_unmap()',
    releases: 'none',
  },
  {
    id: 'hz-3',
    sentence:
      'Hazard: the readback of a fault is not waited for: the object gets no fence, and CPUs map memory that the device is still filling.',
    source: 'the comment in vmw_resources_clean() on vmw_bo_fence_single()',
    releases: 'none',
  },
  {
    id: 'hz-4',
    sentence:
      'Hazard: a walk flushes only what it changed, although another flush is pending on the address space.',
    source:
      'apply_as_range() as posted; wp_clean_post_vma() of Linux 5.5 and later flushes its whole range then (mm_tlb_flush_nested())',
    releases: 'none: the posting',
  },
  {
    id: 'hz-5',
    sentence:
      'Hazard: mkwrite returns VM_FAULT_RETRY to a core that does not know it there: the entry becomes writable with nothing noted.',
    source:
      'the comment in vmw_bo_vm_mkwrite() of 5.5 and later, which forbids retries; the series taught the core (patch 1)',
    releases: 'none',
  },
  {
    id: 'hz-6',
    sentence:
      'A full upload at a bind clears the tracking of its pages, although another surface that lies on them still needs it.',
    source:
      'vmw_gb_surface_bind() and vmw_bo_dirty_clear_res(), Linux 5.5 and later, where surfaces share pages. Without it the others hear of the pages first: a cure of ours',
    releases: '5.5 and later',
  },
  {
    id: 'no-clean-flush',
    sentence:
      'The dirty bits are cleaned without flushing the TLB: later stores leave no dirty bit.',
    source: 'a fault put in: apply_as_range() without flush_tlb_range() after cleaning',
    releases: 'none',
  },
  {
    id: 'mkwrite-marks-nothing',
    sentence: 'The mkwrite callback grants write access without setting the page in the bitmap.',
    source: 'a fault put in: vmw_bo_vm_mkwrite() without __set_bit()',
    releases: 'none',
  },
  {
    id: 'lock-order',
    sentence:
      'Pinning reserves the buffer object before it takes the mutex that submissions take first.',
    source:
      'a fault put in: vmw_resource_pin() of vmwgfx_resource.c with its two locks in the other order',
    releases: 'none',
  },
  {
    id: 'signal-relocks',
    sentence:
      'Fences that have passed are signalled by the function that takes the lock which is held already.',
    source:
      'a fault put in: dma_fence_signal() for dma_fence_signal_locked() in __vmw_fences_update() of vmwgfx_fence.c',
    releases: 'none',
  },
  {
    id: 'map-outlives-pages',
    sentence:
      "The kernel's own map of a buffer object stays when the object is moved to or from VRAM or swapped out: it shows pages that are another's by then.",
    source: 'a fault put in: vmw_bo_move_notify() and vmw_bo_swap_notify() without vmw_bo_unmap()',
    releases: 'none',
  },
  {
    id: 'array-signals-at-once',
    sentence:
      'The last member of an array of fences signals the array under its own lock, which who waits for the array takes in the other order.',
    source:
      'dma_fence_array_cb_func() of dma-fence-array.c, Linux 4.8 to 4.14 (b3dfbdf261e0, fixed by 03e4e0a9e02c)',
    releases: '4.8 to 4.14',
  },
  {
    id: 'fence-irqs-on',
    sentence:
      'The list of fences is looked through with interrupts enabled, and the interrupt handler needs its lock.',
    source:
      'a fault put in: spin_lock() for spin_lock_irqsave() in vmw_fences_update() of vmwgfx_fence.c',
    releases: 'none',
  },
  {
    id: 'prefault-none',
    sentence: 'A fault where no surface is attached maps no page at all, and comes again for ever.',
    source:
      'vmw_resources_clean() as it is without patch 8 of the series, which maps one page there',
    releases: 'none',
  },
  {
    id: 'lost-interrupt',
    sentence: 'Who waits for a fence is counted, but the interrupt stays masked.',
    source:
      'a fault put in: vmw_seqno_waiter_add() of vmwgfx_irq.c without writing SVGA_REG_IRQMASK',
    releases: 'none',
  },
  {
    id: 'invalidate-for-readback',
    sentence:
      'Unbinding a surface gives up what the device has of it, although the GPU has written it.',
    source:
      'a fault put in: vmw_gb_surface_unbind() of vmwgfx_surface.c without regard to `readback`',
    releases: 'none',
  },
  {
    id: 'missing-get',
    sentence: 'A submission gives back references to its buffer objects that it never took.',
    source:
      'a fault put in: vmw_validation_add_bo() of vmwgfx_validation.c without ttm_bo_reference()',
    releases: 'none',
  },
  {
    id: 'missing-put',
    sentence: 'A fault keeps the reference to the fence that it has put on the buffer object.',
    source: 'a fault put in: vmw_bo_fence_single() of vmwgfx_bo.c without dma_fence_put()',
    releases: 'none',
  },
  {
    id: 'tracking-off',
    sentence: 'The driver tracks nothing: coherent surfaces get no tracker.',
    source: 'a fault put in: vmw_gb_surface_define() without vmw_bo_dirty_add()',
    releases: 'none',
  },
  {
    id: 'tracking-pagetable',
    sentence: 'Every tracker begins by looking at dirty bits, however large the object is.',
    source:
      'an option of ours: the choice of vmw_bo_dirty_add() of vmwgfx_page_dirty.c, made the same for all sizes',
    releases: 'none',
  },
  {
    id: 'tracking-mkwrite',
    sentence: 'Every tracker begins with write protection, however small the object is.',
    source:
      'an option of ours: the choice of vmw_bo_dirty_add() of vmwgfx_page_dirty.c, made the same for all sizes',
    releases: 'none',
  },
  {
    id: 'device-gb',
    sentence:
      'The device knows no shader model: no arrays, no commands of DX contexts; boxes go to it by UPDATE_GB_IMAGE.',
    source:
      'SVGA_CAP_DX and SVGA3D_DEVCAP_DXCONTEXT of svga_reg.h, without; vmw_gb_surface_create() and vmw_surface_dirty_sync() of vmwgfx_surface.c',
    releases: 'none',
  },
  {
    id: 'device-sm4',
    sentence: 'The device knows shader model 4: surfaces are defined by DEFINE_GB_SURFACE_V2.',
    source: 'SVGA_CAP_DX of svga_reg.h; vmw_gb_surface_create() of vmwgfx_surface.c',
    releases: 'none',
  },
  {
    id: 'device-sm4_1',
    sentence: 'The device knows shader model 4.1: surfaces are defined by DEFINE_GB_SURFACE_V3.',
    source: 'SVGA3D_DEVCAP_SM41 of svga3d_devcaps.h; vmw_gb_surface_create() of vmwgfx_surface.c',
    releases: 'none',
  },
  {
    id: 'bind-loads',
    sentence:
      'The other reading of the device: the first time that a surface is bound, its copy becomes what the memory holds.',
    source:
      'an option of ours: device_include of vmwgfx does not say what a surface holds that was bound and not updated; a host may fetch it or not',
    releases: 'none',
  },
  {
    id: 'submission-buffers',
    sentence:
      'Commands go to the device in command buffers: several in flight, their status read back, a worker that skips what the device refuses.',
    source:
      'vmwgfx_cmdbuf.c of Linux 4.3 and later; svga_reg.h (SVGA_CAP_COMMAND_BUFFERS). Without it the same in short, as one stream',
    releases: '4.3 and later',
  },
  {
    id: 'submission-fifo',
    sentence:
      'The device has no command buffers: commands go through a FIFO in memory, and who finds it full waits for its interrupt.',
    source:
      'vmwgfx_fifo.c of Linux 5.1, later vmwgfx_cmd.c; svga_reg.h (without SVGA_CAP_COMMAND_BUFFERS)',
    releases: 'all, on devices without command buffers',
  },
  {
    id: 'memory-explicit',
    sentence:
      'The kernel tracks nothing: user space keeps coherent surfaces so, with updates and readbacks of its own.',
    source:
      'src/gallium/drivers/svga of Mesa (svga_resource_buffer.c) on a kernel without coherent memory, before DRM minor 16',
    releases: 'before 5.5',
  },
  {
    id: 'memory-layer',
    sentence:
      'The kernel tracks nothing: a capture layer in the process keeps coherent surfaces so, by mprotect and a handler of SIGSEGV.',
    source:
      'page guards of gfxreconstruct (framework/util/page_guard_manager), memory tracking of apitrace, RenderDoc and gapid',
    releases: 'none',
  },
  {
    id: 'bz-40',
    sentence:
      'A system call that stores into a page which the layer protects gets no signal: it returns EFAULT, or a short count.',
    source: 'gfxreconstruct issue 686, documented by pull request 732',
    releases: 'none',
  },
  {
    id: 'bz-41',
    sentence:
      'The layer takes a load for a store: a page of old bytes is pushed over what the GPU has written.',
    source: 'gfxreconstruct issue 741',
    releases: 'none',
  },
  {
    id: 'bz-42',
    sentence:
      'The layer does not watch persistent mappings: stores between two draws are not seen.',
    source: 'apitrace issue 232 (2014)',
    releases: 'none',
  },
  {
    id: 'bz-42-page',
    sentence:
      'The layer pushes a whole page for a few bytes, without having pulled what the GPU wrote beside them.',
    source: 'apitrace pull request 623 (2019), its list of shortcomings',
    releases: 'none',
  },
  {
    id: 'bz-43',
    sentence: 'The layer never pulls: what the GPU writes into a persistent mapping is not seen.',
    source: 'RenderDoc issue 677',
    releases: 'none',
  },
  {
    id: 'bz-44',
    sentence: "A handler of SIGSEGV that somebody else installs takes the place of the layer's.",
    source: 'gfxreconstruct issue 3071 and pull request 728',
    releases: 'none',
  },
  {
    id: 'bz-45',
    sentence: 'The layer counts whole pages only: the last part of a mapping is not watched.',
    source: 'apitrace issue 830 (the symptom; its cause was not found)',
    releases: 'none',
  },
  {
    id: 'bz-46',
    sentence:
      'The layer does not try out whether protection works: on memory where it does not, stores are not seen.',
    source: 'gapid issues 349, 1011 and 1070, gfxreconstruct pull request 204',
    releases: 'none',
  },
  {
    id: 'bz-47',
    sentence:
      'The layer takes a fault and a call of mprotect for every page of every frame, however many there are.',
    source: 'gfxreconstruct issue 622, RenderDoc issue 2868',
    releases: 'none',
  },
  {
    id: 'bz-48',
    sentence: 'What a forked process writes is noted in its own memory, and goes with it.',
    source: 'CRIU issue 218',
    releases: 'none',
  },
  {
    id: 'bz-49',
    sentence:
      'The layer pushes what is written and present: a page that was swapped out is skipped.',
    source: 'wasmtime pull request 14357',
    releases: 'none',
  },
  {
    id: 'bz-50',
    sentence: 'The layer keeps a range that was unmapped: collecting its pages fails.',
    source: 'Ryujinx pull request 1672',
    releases: 'none',
  },
  {
    id: 'prot-ignored',
    sentence:
      'The driver inserts writable entries whatever the mapping allows: write protection by mprotect does not hold for pages that come later.',
    source:
      'a stand-in of ours for the drivers of gapid issue 1011 and gfxreconstruct pull request 204',
    releases: 'none',
  },
  {
    id: 'memory-noncoherent',
    sentence:
      'Memory that is not HOST_COHERENT: nobody keeps coherent surfaces so, the application flushes and invalidates.',
    source: 'VkMemoryPropertyFlagBits of the Vulkan specification, chapter Memory Allocation',
    releases: 'none',
  },
] as const satisfies readonly Variant[];

export type VariantId = (typeof registry)[number]['id'];
export const variants: readonly Variant[] = registry;

const presetSets = {
  'series-v2': [
    'mprotect-escape',
    'huge-skipped',
    'huge-in-flight',
    'first-bind-empty',
    'shared-pages',
    'bz-23',
    'bz-24',
    'bz-28',
    'bz-29',
    'bz-35',
    'hz-4',
    'hz-6',
  ],
  'linux-6.1': [
    'mm-6.1',
    'tlb-6.1',
    'walk-stops',
    'no-private-mappings',
    'pfnmap',
    'mprotect-escape',
    'drm-6.1',
    'bz-01',
    'bz-02',
    'multisample-stride',
    'bz-11',
    'huge-skipped',
    'huge-in-flight',
    'first-bind-empty',
    'shared-pages',
    'bz-23',
    'bz-24',
    'bz-28',
    'bz-35',
    'bz-53',
    'goal-later',
    'hz-6',
    'slots-kept',
    'surface-v4',
  ],
} as const satisfies Record<string, readonly VariantId[]>;

export type Preset = keyof typeof presetSets;
export const presets: Readonly<Record<Preset, readonly VariantId[]>> = presetSets;

/** Of each of these, at most one is on. */
export const alternatives: readonly (readonly string[])[] = [
  ['tracking-off', 'tracking-pagetable', 'tracking-mkwrite'],
  ['memory-explicit', 'memory-layer', 'memory-noncoherent'],
  ['device-gb', 'device-sm4', 'device-sm4_1'],
  ['submission-buffers', 'submission-fifo'],
] satisfies VariantId[][];

/** Variants that go by one name, wherever a variant can be named. */
export interface VariantGroup {
  readonly id: string;
  readonly sentence: string;
  readonly members: readonly VariantId[];
}

export const groups: readonly VariantGroup[] = [
  {
    id: 'as-posted',
    sentence: 'The series as it was posted in April 2019, with its slips against its own intent.',
    members: ['bz-01', 'bz-02', 'bz-03', 'bz-04', 'bz-11', 'sheets-folded'],
  },
];

/** The variants that names stand for, groups taken apart. */
const expanded = (ids: readonly string[]): string[] =>
  ids.flatMap((id): readonly string[] => groups.find((g) => g.id === id)?.members ?? [id]);

/** Variants to add and to take out; what is in both is out. */
export interface VariantChange {
  readonly with?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
}

/** Forms of variants that everybody can make: changes to a routine by what it calls or sets. */
export const deviationForms: readonly Pick<Variant, 'id' | 'sentence'>[] = [
  {
    id: 'omit.FUNCTION.NAME',
    sentence:
      'A fault of your own: where FUNCTION calls or sets NAME (a flush, a lock, a note, a wait, a count), nothing is done.',
  },
  {
    id: 'swap.FUNCTION.NAME.NAME',
    sentence:
      'A fault of your own: where FUNCTION calls or sets the one and where it does the other change places.',
  },
  {
    id: 'always.FUNCTION.WORD',
    sentence:
      'A fault of your own: where FUNCTION decides on something with WORD in it, it counts as true.',
  },
  {
    id: 'never.FUNCTION.WORD',
    sentence: 'A fault of your own: as `always`, but it counts as false.',
  },
  {
    id: 'negate.FUNCTION.WORD',
    sentence: 'A fault of your own: as `always`, but it is decided the other way round.',
  },
  {
    id: 'value.FUNCTION.NAME.CHANGE',
    sentence:
      'A fault of your own: what FUNCTION sets NAME to comes to something else (`return`: what it gives back): `plus_N`, `minus_N`, `is_N`, `not`; N is a number, a variable, or a field of what one points to.',
  },
  {
    id: 'arg.FUNCTION.NAME.ARGUMENT.CHANGE',
    sentence:
      'A fault of your own: where FUNCTION calls NAME, this argument is another, as with `value`.',
  },
  {
    id: 'set.TABLE.ROW.ENTRY',
    sentence:
      'A fault of your own: a table of the kernel has another entry in this row, as what a command does to what it names.',
  },
];

/** The id of a deviation. */
export const deviationId = ({ kind, of, names, place }: Deviation): string =>
  [kind, of, ...names, ...(place === undefined ? [] : [place])].join('.');

/** The deviation that an id stands for. A number at its end says which of several places is meant. */
export function deviationOf(id: string): Deviation | undefined {
  const [kind, of = '', ...words] = id.split('.');
  if (!/^\w+(\.\w+)+$/.test(id)) return undefined;
  if (kind === undefined || !isDeviation(kind)) return undefined;
  const last = words.at(-1) ?? '';
  const numbered = kind !== 'swap' && kind !== 'set' && /^[1-9]\d*$/.test(last);
  const names = numbered ? words.slice(0, -1) : words;
  if (names.length !== deviationNames[kind]) return undefined;
  const changes = kind === 'value' || kind === 'arg';
  if (changes && !/^(?:not|(?:plus|minus|is)_\w+)$/.test(names.at(-1)!)) return undefined;
  return numbered ? { kind, of, names, place: Number(last) } : { kind, of, names };
}

/** How many names stand behind the function or table. */
export const deviationNames: Readonly<Record<Deviation['kind'], number>> = {
  omit: 1,
  swap: 2,
  always: 1,
  never: 1,
  negate: 1,
  value: 2,
  arg: 3,
  set: 2,
};

/** How a deviation is written that begins as an id does which is none: `; its form is …`, or nothing. */
export function deviationHelp(id: string): string {
  const [kind = ''] = id.split('.');
  if (!isDeviation(kind) || !id.includes('.')) return '';
  const form = deviationForms.find((one) => one.id.startsWith(`${kind}.`))!.id;
  return `; its form is \`${form}\``;
}

const isDeviation = (kind: string): kind is Deviation['kind'] =>
  Object.hasOwn(deviationNames, kind);

/** The variants of a preset as they are after some changes, one after the other. Of alternatives the last added is on. */
export function variantSet(preset: Preset, ...changes: readonly VariantChange[]): VariantSet {
  const active = new Set<string>(presets[preset]);
  for (const change of changes) {
    const removed = expanded(change.without ?? []);
    for (const id of expanded(change.with ?? [])) {
      if (removed.includes(id)) continue;
      for (const others of alternatives)
        if (others.includes(id)) for (const other of others) active.delete(other);
      active.add(id);
    }
    for (const id of removed) active.delete(id);
  }
  const deviations = [...active].flatMap((id) => deviationOf(id) ?? []);
  return { known: new Set(variants.map((v) => v.id)), active, deviations };
}
