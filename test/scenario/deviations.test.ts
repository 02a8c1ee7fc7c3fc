// Variants that everybody can make: `omit.F.G` does nothing where the function F calls or sets G, `swap.F.G.H`
// exchanges two such places. Some bugs of the zoo, written so, are found as by their own variant.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadScenario } from '../../src/scenario/load';
import { load, outcome } from './outcome';

const zoo = (bug: string): string => {
  const file = readdirSync('examples/bug-zoo').find((name) => name.startsWith(`${bug}-`))!;
  return readFileSync(`examples/bug-zoo/${file}`, 'utf8');
};
const firstOf = (bug: string, variant: string): string | undefined =>
  outcome(zoo(bug), { with: [variant] }).problems[0];

test.each([
  ['bz-27', 'omit.clear_refs_write.flush_tlb_mm_range'], // a flush
  ['bz-36', 'omit.vmw_bo_vm_mkwrite.__set_bit'], // a note
  ['hz-2', 'omit.vmw_bo_dirty_unmap.vmw_bo_dirty_pre_unmap'], // a pass over the entries
  ['hz-3', 'omit.vmw_resources_clean.vmw_bo_fence_single'], // a wait
  ['hz-1', 'swap.vmw_bo_dirty_scan_pagetable.apply_as_wrprotect.apply_as_clean'], // the order of two passes
])('%s is found with %s', (bug, deviation) => {
  expect(firstOf(bug, deviation)).toBe(firstOf(bug, bug));
});

test('a flag that is not cleared, and a count that is not taken', () => {
  const target = readFileSync('examples/04-render-target-readback.coh', 'utf8');
  const of = (variant: string) => outcome(target, { with: [variant] }).problems.join('\n');
  expect(of('omit.vmw_resources_clean.res_dirty')).toMatch(/readbacks is 2, 4 is 4/);
  expect(of('omit.ttm_bo_get.kref_get')).toMatch(/use-after-free|oops|warn/);
});

// Bugs of kinds that drivers and memory management have had, none of them a variant. Each of these scenarios holds as it is.
const example = (file: string): string => readFileSync(`examples/${file}.coh`, 'utf8');
const farPage = `scenario "the last page of what the GPU writes"
surface target: buffer 4 pages coherent
process app {
  let p = map target
  thread render on cpu0 {
    write p = 1
    submit { draw writes target = 9 } as done
    wait done
    read p[3 pages] as x
    assert x == 9
  }
}`;
const privateCopy = `scenario "what a parent writes into a private copy after a fork"
surface ring: buffer 1 page
process parent {
  let p = map ring private
  thread first on cpu0 {
    write p[0] = 1
    fork child
    write p[0] = 2
    signal written
  }
}
process child forks parent {
  thread second on cpu0 {
    wait written
    read p[0] as x
    assert x == 1
  }
}`;
const failedReadback = `scenario "a readback fails"
surface target: buffer 1 page coherent
process app {
  let p = map target
  thread render on cpu0 {
    submit { draw writes target = 9 } as done
    wait done
    fail vmw_surface_clean once
    read p[0] else signal
    assert signal == SIGBUS
  }
}`;

test.each([
  [
    'a range ends a page too early: the last translation is not flushed',
    example('01-ring-buffer'),
    ['arg.apply_as_range.flush_tlb_mm_range.end.minus_4096'],
    /^R1: the GPU read 1 instead of 4, .*: page 7 of ring/,
  ],
  [
    'a number of pages is one short: the last page stays mapped while the GPU writes',
    farPage,
    ['arg.vmw_bo_dirty_unmap.unmap_mapping_range.nr.minus_1'],
    /^R2: the CPU read 1 instead of 9, .*: page 3 of target/,
  ],
  [
    'an offset counts from the mapping where it must count from the object',
    example('address-space/mapped-parts'),
    [
      'value.ttm_bo_vm_fault_reserved.page_offset.minus_vm_pgoff.1',
      'value.ttm_bo_vm_fault_reserved.page_offset.plus_vma_node_start.1',
    ],
    /^R1: the GPU read 21 instead of 5, .*: page 0 of ring/,
  ],
  [
    'a move that is under way is not waited for: the test of its fence is inverted',
    zoo('hz-3'),
    ['negate.ttm_bo_vm_fault_idle.moving'],
    /^R2: the CPU read 0 instead of 9/,
  ],
  [
    'pages are not unmapped when the GPU is about to write',
    example('04-render-target-readback'),
    ['never.vmw_resource_do_validate.dirtying'],
    /^R2: the CPU read 10 instead of 11/,
  ],
  [
    'a private copy stays writable in the parent when it forks',
    privateCopy,
    ['never.copy_present_pte.is_cow_mapping'],
    /^assertion: assert x == 1 does not hold: x is 2/,
  ],
  [
    'an error is not looked at: a page is mapped that was not read back',
    failedReadback,
    ['value.vmw_resources_clean.ret.is_0'],
    /^R2: the CPU read 0 instead of 9/,
  ],
  [
    'the last reference is not noticed',
    example('fences/sync-file-only'),
    ['never.dma_fence_put.left'],
    /^leak: vmw_fence_obj \d counts no reference any more, and was not freed/,
  ],
])('%s', (_bug, text, variants, message) => {
  expect(outcome(text).problems).toEqual([]);
  expect(outcome(text, { with: variants }).problems[0]).toMatch(message);
});

test("what a fault of one's own leads to and does not exist is an oops, at a lock as well", () => {
  const first = (id: string) => outcome(farPage, { with: [id] }).problems[0];
  expect(first('value.load.pfn.not')).toBe(
    'oops: it goes where nothing is; expected is a data frame, not 0',
  );
  expect(first('arg.vmw_bo_dirty_unmap.unmap_mapping_range.mapping.is_0')).toBe(
    'oops: kernel NULL pointer dereference: address_space.i_mmap_rwsem',
  );
});

test('a lock that is released and was not taken is an oops', () => {
  expect(firstOf('bz-27', 'omit.clear_refs_write.down_write_killable')).toBe(
    'oops: the mmap_sem that is released is not held',
  );
});

test('one of several places is meant by its number', () => {
  const target = readFileSync('examples/04-render-target-readback.coh', 'utf8');
  const changed = (id: string): number => {
    const { lines } = load(target, { with: [id] }).run.engine.program.named('vmw_resources_clean')!;
    return lines.filter(({ text }) => text.includes('/*')).length;
  };
  const all = changed('always.vmw_resources_clean.found');
  expect(all).toBeGreaterThan(1);
  expect(changed('always.vmw_resources_clean.found.2')).toBe(1);
});

test('the place stays in the listing, and walks are made step by step', () => {
  const { run } = load(zoo('bz-27'), { with: ['omit.clear_refs_write.flush_tlb_mm_range'] });
  const { program } = run.engine;
  const texts = program.named('clear_refs_write')!.lines.map(({ text }) => text);
  expect(texts).toContain('/* left out: flush_tlb_mm_range(mm, start, end, freed_tables) */;');
  expect(program.named('apply_pt_clean')!.repeated).toBeUndefined();
  expect(load(zoo('bz-27')).run.engine.program.named('apply_pt_clean')!.repeated).toBeDefined();
});

test.each([
  [
    'omit.clear_refs_write.flush',
    /^omit.clear_refs_write.flush: `clear_refs_write` neither calls nor sets `flush`, but .*`flush_tlb_mm_range`/,
  ],
  [
    'swap.clear_refs_write.up_write.up_write',
    /^swap.clear_refs_write.up_write.up_write: in `clear_refs_write` the two do not stand beside each other/,
  ],
  [
    'set.vmw_cmd_entrie.DX_GENMIPS.none',
    /the kernel has no table `vmw_cmd_entrie` whose entries can be chosen, but `vmw_cmd_entries`/,
  ],
  [
    'set.vmw_cmd_entries.GENMIPS.none',
    /`vmw_cmd_entries` has no row `GENMIPS`, but `GPU_READ`, .*`DX_BUFFER_COPY_arg`/,
  ],
  [
    'set.vmw_cmd_entries.DX_GENMIPS.read',
    /`read` is no entry of `vmw_cmd_entries`; there are `none`, `set`, `clear`/,
  ],
  [
    'never.clear_refs_write.pte_dirty',
    /^never.clear_refs_write.pte_dirty: `clear_refs_write` decides on nothing with `pte_dirty` in it, but on .*`type == CLEAR_REFS_SOFT_DIRTY`/,
  ],
  [
    'always.clear_refs_write.CLEAR_REFS_SOFT_DIRTY.9',
    /: `clear_refs_write` has no 9 places that it could be/,
  ],
  ['value.do_wp_page.vma.is_0', /: `do_wp_page` does not set `vma`, but `page`, `ret`, `return`/],
  ['value.do_wp_page.page.plus_1', /: plus_1 is no change of `page` in `do_wp_page`: `is_0` or/],
  ['value.do_wp_page.ret.plus_what', /: plus_what is no change of `ret`/],
  ['arg.do_wp_page.wp_page.vmf.is_0', /: `do_wp_page` does not call `wp_page` with arguments, but/],
  ['arg.do_wp_page.wp_pfn_shared.vma.is_0', /: `wp_pfn_shared` has no argument `vma`, but `vmf`/],
  [
    'value.do_wp_page.ret.more',
    /^there is no variant `value.do_wp_page.ret.more`; its form is `value.FUNCTION.NAME.CHANGE`/,
  ],
  [
    'omit.clear_refs_write',
    /^there is no variant `omit.clear_refs_write`; its form is `omit.FUNCTION.NAME`/,
  ],
])('%s: what cannot be done is said, on the command line as in the text', (id, message) => {
  const refused = loadScenario(zoo('bz-27'), { with: [id] });
  expect('run' in refused ? [] : refused.problems).toEqual([expect.stringMatching(message)]);
});
