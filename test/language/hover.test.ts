import { describe, expect, test } from 'vitest';
import { hover } from '../../src/language/hover';
import { inThread, known, marked } from './marked';

function shown(text: string): string | undefined {
  const { checked, offset } = marked(text);
  const found = hover(checked, offset, known);
  return found && `${checked.parsed.text.slice(found.from, found.to)}: ${found.text}`;
}

describe('hover', () => {
  test('says what an operation does in the kernel', () => {
    expect(shown(inThread('wri|te p[0] = 1'))).toContain('vmw_bo_vm_mkwrite()');
    expect(shown(inThread('sub|mit { draw reads ring }'))).toContain('vmw_execbuf_process()');
    expect(shown(inThread('submit { dr|aw reads ring }'))).toContain('GPU-dirty');
  });

  test('says what a bit of a PTE is, with its position', () => {
    expect(shown(inThread('assert pte(p[0]).di|rty'))).toBe(
      'dirty: bit 6, _PAGE_DIRTY: set by the walker on the first write',
    );
  });

  test('says what a name stands for', () => {
    expect(shown(inThread('write |p[0] = 1'))).toBe('p: `p`: mapping of `ring` in process `app`');
    expect(shown(inThread('assert gpu(ri|ng)[0] == 0'))).toBe(
      'ring: `ring`: coherent buffer, 96KiB, 24 pages',
    );
    expect(shown(inThread('wait do|ne'))).toBe('done: `done`: fence');
    const late = 'scenario "x"\nsurface big: buffer 4KiB la|ter\nprocess app { create big }';
    expect(shown(late)).toContain('not there from the beginning: `create` makes it.');
    expect(shown(late.replace('|', '').replace('create b', 'create |b'))).toBe(
      'big: `big`: buffer, 4KiB, 1 page, made by `create`',
    );
    expect(shown(late.replace('|', '').replace('{ create', '{ cre|ate'))).toContain(
      'DRM_VMW_GB_SURFACE_CREATE',
    );
  });

  test('says what a number is in pages', () => {
    expect(shown(inThread('read p[32K|iB]'))).toBe('32KiB: 32768 = 32KiB = 8 pages');
  });

  test('says what a variant and a setting are', () => {
    expect(shown('scenario "x"\nmachine { with bz|-01 }')).toBe(
      'bz-01: variant `bz-01`: A transfer swallows the neighbour.',
    );
    expect(shown('scenario "x"\nmachine { with never.handle_|pte_fault.pte_write }')).toMatch(
      /^never.handle_pte_fault.pte_write: `never.FUNCTION.WORD`: A fault of your own: as `always`/,
    );
    expect(shown('scenario "x"\nmachine { ker|nel linux-6.1 }')).toContain('preset of variants');
  });

  test('says what counters count', () => {
    expect(shown(inThread('assert faults.wr|ite == 1'))).toBe(
      'write: counter: page faults of stores, the PTE was absent',
    );
    expect(shown(inThread('assert sca|ns == 1'))).toContain('vmw_bo_dirty_scan');
  });

  test('says how far a line of a schedule goes, and what an outcome means', () => {
    const line = (text: string) => `${inThread('write p[0]')}schedule {\n  ${text}\n}\n`;
    expect(shown(line('ren|der until idle'))).toBe('render: `render`: thread');
    expect(shown(line('g|pu until idle'))).toBe('gpu: the device');
    expect(shown(line('render unt|il idle'))).toContain('cannot go on by itself');
    expect(shown(line('render until vmw_mk|write'))).toContain('before a page becomes writable');
    expect(shown(line('render until pfn_mkwrite ret|urns'))).toContain('has returned');
    expect(shown(line('render for 3 st|eps'))).toContain('micro-steps');
    expect(shown(line('inter|rupt cpu0'))).toContain('its handler');
    expect(shown(inThread('let x = 1') + 'outcomes (scans) { all|owed (1) }')).toContain(
      'Some order may end so.',
    );
  });

  test('says nothing of blanks, comments and texts', () => {
    expect(shown('scenario "x|"')).toBeUndefined();
    expect(shown('// wri|te')).toBeUndefined();
    expect(shown(inThread('read p[0] | '))).toBeUndefined();
  });
});
