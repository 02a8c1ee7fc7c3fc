// What is bound to a context, and which command dirties what: one table each, whose entries a deviation can change.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bindingPoints, type PointName } from '../../src/hardware/svga/bindings';
import { load, outcome } from './outcome';

/** A surface is bound, drawn with, and not named again; what became of its pages behind each submission. */
const bound = (point: PointName): string => `scenario "bound as ${point}"
surface s: buffer 2 pages coherent
surface other: buffer 1 page coherent
process app {
  let p = map s
  thread render on cpu0 {
    submit { draw reads s, draw reads other } as begin
    wait begin
    write p = 1
    submit { bind s ${point} 3, draw bound = 7 } as done[0]
    wait done[0]
    assert gpu(s) == ${bindingPoints[point].written ? 7 : 1}
    read p[0] as x
    assert x == ${bindingPoints[point].written ? 7 : 1}
    submit { draw reads other } as done[1]
    wait done[1]
    assert pte(p[0]).none == ${bindingPoints[point].written}
    submit { unbind ${point} 3 } as done[2]
    wait done[2]
    read p[0]
    submit { draw bound = 9 } as done[3]
    wait done[3]
    assert gpu(s) == ${bindingPoints[point].written ? 7 : 1} and pte(p[0]).present
  }
}
never violation`;

const pointNames = Object.keys(bindingPoints) as PointName[];
const tableOf = (point: PointName): string =>
  bindingPoints[point].view === undefined ? 'vmw_binding_dirtying' : 'vmw_view_dirtying';

describe.each(pointNames)('%s', (point) => {
  const { kernel, written } = bindingPoints[point];

  test('a draw uses what is bound; what is bound for writing is dirty by every submission', () => {
    for (const preset of ['series-v2', 'linux-6.1'])
      expect([preset, outcome(bound(point), { kernel: preset }).problems]).toEqual([preset, []]);
  });

  test(`the entry ${tableOf(point)}.${kernel} is what makes it so`, () => {
    const other = `set.${tableOf(point)}.${kernel}.${written ? 'none' : 'set'}`;
    const { problems } = outcome(bound(point), { with: [other] });
    expect(problems[0]).toMatch(
      written ? /^R2: the CPU read 1 instead of 7/ : /^assertion: assert pte\(p\[0\]\)\.none/,
    );
  });
});

const example = (name: string): string => readFileSync(`examples/${name}.coh`, 'utf8');

test.each([
  ['bug-zoo/bz-03-generated-mips', 'DX_GENMIPS.none', /^R2/],
  ['04-render-target-readback', 'GPU_WRITE.none', /^R2/],
  ['sharing/fault-cleans-what-it-must', 'GPU_READ.set', /^assertion: assert z == 0 and readbacks/],
])('%s with set.vmw_cmd_entries.%s', (name, row, found) => {
  const { problems } = outcome(example(name), { with: [`set.vmw_cmd_entries.${row}`] });
  expect(problems.join('\n')).toMatch(new RegExp(found.source, 'm'));
});

test('a copy writes its target, and a readback cleans what it reads back', () => {
  const text = `scenario "copy, readback"
surface a: buffer 1 page coherent
surface b: buffer 1 page coherent
process app {
  let p = map b
  thread render on cpu0 {
    submit { clear a = 3, draw reads b } as begin
    wait begin
    read p[0]
    submit { copy a to b, readback b } as done[0]
    wait done[0]
    read p[0] as x
    assert x == 3 and readbacks == 0
    submit { clear a = 4, copy a to b } as done[1]
    wait done[1]
    read p[0] as y
    assert y == 4 and readbacks == 1
  }
}
never violation`;
  const of = (row: string) => outcome(text, { with: [`set.vmw_cmd_entries.${row}`] }).problems[0];
  expect(outcome(text).problems).toEqual([]);
  expect(of('DX_BUFFER_COPY_arg.none')).toMatch(/^R2: the CPU read 3 instead of 4/);
  expect(of('READBACK_GB_SURFACE.none')).toMatch(/^assertion: assert x == 3 and readbacks == 0/);
});

test('bindings are bound again after a sleep; else draws miss them, or name views that are gone', () => {
  const of = (left: string) =>
    outcome(example('bindings/after-suspend'), { with: [`omit.vmw_rebind_contexts.${left}`] })
      .problems;
  expect(of('vmw_binding_rebind_all')[0]).toMatch(/^assertion: assert y == 6/);
  expect(of('vmw_view_create')[0]).toMatch(
    /^device: the device refused DX_SET_\w+: it names a view that is not there/,
  );
});

test('a submission that is refused has bound nothing and defined no view', () => {
  const { problems } = outcome(`scenario "refused"
surface a: buffer 1 page coherent
surface b: buffer 1 page coherent
process app {
  thread render on cpu0 {
    submit { bind a target, draw bound = 1 } as done[0]
    wait done[0]
    grab b
    submit { bind b target, draw bound = 2 } else refused
    assert refused == EBUSY
    submit { draw bound = 3 } as done[1]
    wait done[1]
    assert gpu(a) == 3
    release b
    submit { bind b target, draw bound = 4, bind a target, bind b target 1, draw bound = 5 } as done[2]
    wait done[2]
    assert gpu(a) == 5 and gpu(b) == 5
    submit { unbind target, draw bound = 6 } as done[3]
    wait done[3]
    assert gpu(a) == 5 and gpu(b) == 6
  }
}
never violation`);
  expect(problems).toEqual([]);
});

test('each thread has a context of its own', () => {
  const { problems } = outcome(`scenario "two contexts"
surface a: buffer 1 page coherent
surface b: buffer 1 page coherent
process app {
  thread one on cpu0 {
    submit { bind a target } as first
    signal ready
    wait other
    submit { draw bound = 1 } as done[0]
    wait done[0]
    assert gpu(a) == 1 and gpu(b) == 2
  }
  thread two on cpu1 {
    wait ready
    submit { bind b target, draw bound = 2 } as done[1]
    wait done[1]
    assert gpu(a) == 0 and gpu(b) == 2
    signal other
  }
}
never violation`);
  expect(problems).toEqual([]);
});

test.each([
  ['memory explicit', 'explicit'],
  ['memory layer', 'layer'],
])('without the kernel: %s', (setting) => {
  const { problems } = outcome(`scenario "by user space"
machine { ${setting} }
surface a: buffer 1 page coherent
surface b: buffer 1 page coherent
process app {
  let p = map a
  let q = map b
  thread render on cpu0 {
    write p = 3
    submit { bind a vertices, bind b target, draw bound = 4 } as done
    wait done
    assert gpu(a) == 3
    read q[0] as x
    assert x == 4
  }
}
never violation`);
  expect(problems).toEqual([]);
});

test.each([
  ['gb', 'target', /^error: creating its context failed with -EINVAL/],
  ['sm4', 'storage', /^device: the device refused DX_DEFINE_UA_VIEW: .*knows no such command/],
])('a device of less shader models, %s, and %s', (device, point, refused) => {
  const { problems } = outcome(
    bound(point as PointName).replace('\nsurface', `\nmachine { device ${device} }\nsurface`),
  );
  expect(problems.join('\n')).toMatch(new RegExp(refused.source, 'm'));
});

test('nothing of it is in a machine whose scenario binds nothing', () => {
  const { engine } = load(example('04-render-target-readback')).run;
  expect(engine.program.named('vmw_rebind_contexts')).toBeUndefined();
  expect(engine.objects.pools.map(({ struct }) => struct.name)).not.toContain('vmw_view');
});
