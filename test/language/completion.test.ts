import { describe, expect, test } from 'vitest';
import { complete } from '../../src/language/completion';
import { pteFields, tlbFields } from '../../src/scenario/vocabulary';
import { inThread, known, marked } from './marked';

function labels(text: string): string[] {
  const { checked, offset } = marked(text);
  return complete(checked, offset, known).map(({ label }) => label);
}

describe('what can stand at the cursor', () => {
  test('in an empty file: the parts of a scenario', () => {
    expect(labels('|')).toEqual([
      'scenario',
      'import',
      'const',
      'procedure',
      'machine',
      'explore',
      'schedule',
      'surface',
      'process',
      'always',
      'never',
      'outcomes',
      'finally',
      'fail',
    ]);
  });

  test('in a thread: statements and operations', () => {
    expect(labels(inThread('|'))).toEqual([
      'let',
      'repeat',
      'if',
      'assert',
      'map',
      'unmap',
      'protect',
      'advise',
      'remap',
      'fork',
      'exit',
      'clear_refs',
      'sigaction',
      'fail',
      'evict',
      'swapout',
      'pin',
      'unpin',
      'create',
      'destroy',
      'purge',
      'cursor',
      'suspend',
      'resume',
      'write',
      'read',
      'copy',
      'copy_to_user',
      'copy_from_user',
      'peek',
      'poke',
      'flush',
      'invalidate',
      'poll',
      'submit',
      'wait',
      'grab',
      'release',
      'export',
      'attach',
      'kill',
      'signal',
    ]);
    expect(labels(inThread('wr|'))).toContain('write');
    expect(labels(inThread('if frame == 1 { | }'))).toContain('wait');
  });

  test('in a process: threads, too', () => {
    expect(labels('scenario "x"\nprocess app {\n  |\n}')).toContain('thread');
  });

  test('in a submission: commands of the GPU', () => {
    expect(labels(inThread('submit { | }'))).toEqual([
      'draw',
      'bind',
      'unbind',
      'copy',
      'clear',
      'genmips',
      'wait',
      'present',
      'update',
      'readback',
      'invalidate',
    ]);
    expect(labels(inThread('submit { draw reads ring, | } as done'))).toContain('clear');
  });

  test('in a machine: settings, and the values of each', () => {
    expect(labels('scenario "x"\nmachine { | }')).toEqual([
      'kernel',
      'cpus',
      'tracking',
      'memory',
      'device',
      'submission',
      'atom',
      'mobs',
      'vram',
      'seqno',
      'with',
      'without',
    ]);
    expect(labels('scenario "x"\nmachine { kernel | }')).toEqual(['series-v2', 'linux-6.1']);
    expect(labels('scenario "x"\nmachine { device | }')).toEqual(['sm5', 'sm4_1', 'sm4', 'gb']);
    expect(labels('scenario "x"\nmachine { cpus 2, with bz-| }')).toEqual([
      'bz-01',
      'bz-53',
      'tracking-off',
      'tracking-mkwrite',
      'both',
      'omit.',
      'swap.',
      'always.',
      'never.',
      'negate.',
      'value.',
      'arg.',
      'set.',
    ]);
    expect(labels('scenario "x"\nmachine {\n  tracking |\n}')).toEqual([
      'auto',
      'pagetable',
      'mkwrite',
      'off',
    ]);
  });

  test('behind a verb: what it works on', () => {
    expect(labels(inThread('write |'))).toEqual(['p']);
    expect(labels(inThread('wait |'))).toEqual(['done', 'ready']);
    expect(labels(inThread('signal |'))).toEqual(['ready']);
    expect(labels(inThread('let q = map |'))).toEqual(['ring']);
    expect(labels(inThread('let q = map ring |'))).toEqual(['private', 'readonly']);
    expect(labels(inThread('submit { draw reads | }'))).toEqual(['ring']);
    expect(labels(inThread('submit { copy ring[0] to | }'))).toEqual(['ring']);
  });

  test('in an expression: variables, things to look at, counters', () => {
    const found = labels(inThread('assert |'));
    expect(found).toEqual(
      expect.arrayContaining(['frame', 'p', 'ring', 'done', 'pte', 'tracker', 'gpu']),
    );
    expect(found).toEqual(expect.arrayContaining(['faults', 'scans', 'violation', 'mkwrite']));
    expect(found).not.toContain('render');
  });

  test('a variable is offered behind its line only', () => {
    expect(labels(inThread('write p[|]\n      let later = 1'))).not.toContain('later');
  });

  test('behind a dot: the fields of what stands before it', () => {
    expect(labels(inThread('assert pte(p[0]).|'))).toEqual(Object.keys(pteFields));
    expect(labels(inThread('assert tlb(cpu0, p[0]).|'))).toEqual(Object.keys(tlbFields));
    expect(labels(inThread('assert last(vmw_mkwrite, page == 1).|'))).toEqual(['page', 'marked']);
    expect(labels(inThread('assert events(|'))).toContain('vmw_mkwrite');
    expect(labels(inThread('assert tlb(|'))).toEqual(['cpu0', 'cpu1']);
    expect(labels(inThread('assert tracker(ring).me|'))).toContain('method');
    expect(labels(inThread('assert faults.|'))).toEqual(['read', 'write', 'writeProtect']);
    expect(labels(inThread('assert done.|'))).toEqual(['signaled', 'submitted', 'seqno']);
  });

  test('in a range nothing is taken for a dot', () => {
    expect(labels(inThread('write p[0 .. |]'))).toContain('frame');
  });

  test('behind `on`: the CPUs of the machine', () => {
    expect(labels('scenario "x"\nmachine { cpus 3 }\nprocess app { thread t on | }')).toEqual([
      'cpu0',
      'cpu1',
      'cpu2',
    ]);
  });

  test('of a surface: its kind, then what it can be', () => {
    expect(labels('scenario "x"\nsurface ring: |')).toEqual(['buffer', 'texture', 'cube']);
    expect(labels('scenario "x"\nsurface ring: buffer 4KiB |')).toEqual([
      'coherent',
      'in',
      'offset',
      'later',
    ]);
    const late = 'scenario "x"\nsurface big: buffer 4KiB later\nprocess app { create |';
    expect(labels(late)).toEqual(['big']);
    const texture = labels('scenario "x"\nsurface t: texture |');
    expect(texture).toContain('rgba8');
    expect(texture).toContain('mips');
    const beside = 'scenario "x"\nsurface ring: buffer 4KiB\nsurface other: buffer 4KiB in |';
    expect(labels(beside)).toEqual(['ring']);
  });

  test('of a process: that it is a fork, and whose', () => {
    const child = (line: string) => `scenario "x"\nprocess app { }\nprocess child ${line}`;
    expect(labels(child('|'))).toEqual(['forks']);
    expect(labels(child('forks |'))).toEqual(['app']);
  });

  test('behind `fail`, in a thread and outside: the points, then how often', () => {
    expect(labels(inThread('fail |'))).toContain('ttm_tt_populate');
    expect(labels('scenario "x"\nfail vmw|')).toContain('vmw_bo_init');
    expect(labels(inThread('fail ttm_tt_populate |'))).toContain('once');
  });

  test("a fault of one's own goes on from point to point", () => {
    const given = (typed: string) => labels(`scenario "x"\nmachine { with ${typed}| }\n`);
    expect(given('')).toEqual(expect.arrayContaining(['bz-01', 'omit.', 'always.', 'arg.']));
    expect(given('never.')).toContain('never.handle_pte_fault.');
    expect(given('never.handle_pte_fault.')).toContain('never.handle_pte_fault.pte_write');
    expect(given('value.vmw_bo_vm_fault.')).toContain('value.vmw_bo_vm_fault.return.');
    expect(given('value.vmw_bo_vm_fault.ret.')).toContain('value.vmw_bo_vm_fault.ret.is_0');
    const call = 'arg.handle_mm_fault.__handle_mm_fault.';
    expect(given(call)).toContain(`${call}address.`);
    expect(given(`${call}address.`)).toContain(`${call}address.minus_1`);
  });

  const scheduled = (line: string) =>
    inThread('write p[0]') + `schedule {\n  app until idle\n  ${line}\n}\n`;

  test('in a schedule: who goes, how far, and until what', () => {
    expect(labels(scheduled('|'))).toEqual(['render', 'app', 'gpu', 'interrupt']);
    expect(labels(scheduled('render |'))).toEqual(['until', 'for', 'chooses']);
    const ends = labels(scheduled('render until |'));
    expect(ends).toEqual(expect.arrayContaining(['idle', 'vmw_mkwrite', 'vmw_bo_vm_mkwrite']));
    expect(ends).toContain('pfn_mkwrite');
    expect(labels(scheduled('render until vmw_bo_vm_fault |'))).toEqual(['returns', 'is called']);
    expect(labels(scheduled('render for 3 |'))).toEqual(['statements', 'steps']);
    expect(labels(scheduled('interrupt |'))).toEqual(['cpu0', 'cpu1']);
    expect(labels(scheduled('interrupt cpu0 |'))).toEqual([]);
  });

  test('in a schedule no functions are offered while the machine is not known', () => {
    const broken = scheduled('render until |').replace('write p[0]', 'write q[0]');
    expect(labels(broken)).toContain('vmw_mkwrite');
    expect(labels(broken)).not.toContain('vmw_bo_vm_mkwrite');
  });

  test('of outcomes: what threads have named, and lines with as many values', () => {
    const end = (text: string) => inThread('read p[0] as saw') + text;
    expect(labels(end('outcomes (|)'))).toEqual(expect.arrayContaining(['render', 'gpu', 'scans']));
    expect(labels(end('outcomes (render.|)'))).toEqual(['frame', 'saw']);
    expect(labels(end('outcomes (app.render.|)'))).toEqual(['frame', 'saw']);
    const { checked, offset } = marked(end('outcomes (render.saw, scans > 2) { | }'));
    expect(complete(checked, offset, known).map(({ label, snippet }) => [label, snippet])).toEqual([
      ['allowed', 'allowed (${1:0}, ${2:true})'],
      ['required', 'required (${1:0}, ${2:true})'],
      ['forbidden', 'forbidden (${1:0}, ${2:true})'],
    ]);
    expect(labels(end('outcomes (render.saw) { allowed (|) }'))).toContain('true');
  });

  test('in the limits of a search: settings', () => {
    const { checked, offset } = marked('scenario "x"\nexplore { | }');
    expect(complete(checked, offset, known).map(({ snippet }) => snippet)).toEqual([
      'bound ${1:3}',
      'states ${1:100000}',
    ]);
  });

  test('nothing in comments, texts and where a name is invented', () => {
    expect(labels('// |')).toEqual([]);
    expect(labels('scenario "|"')).toEqual([]);
    expect(labels('scenario "x"\nsurface |')).toEqual([]);
    expect(labels(inThread('let |'))).toEqual([]);
  });

  test('replaces the word that is being typed, hyphens included in a machine', () => {
    const { checked, offset } = marked('scenario "x"\nmachine { kernel linux-6|.1 }');
    const [first] = complete(checked, offset, known);
    expect(first && checked.parsed.text.slice(first.from, first.to)).toBe('linux-6');
  });
});
