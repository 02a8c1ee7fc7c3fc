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

test('a lock that is released and was not taken is an oops', () => {
  expect(firstOf('bz-27', 'omit.clear_refs_write.down_write_killable')).toBe(
    'oops: the mmap_sem that is released is not held',
  );
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
  ['omit.clear_refs_write', /^there is no variant `omit.clear_refs_write`/],
])('%s: what cannot be done is said, on the command line as in the text', (id, message) => {
  const refused = loadScenario(zoo('bz-27'), { with: [id] });
  expect('run' in refused ? [] : refused.problems).toEqual([expect.stringMatching(message)]);
});
