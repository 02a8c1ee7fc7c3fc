// From routines to tables: what is built, what is refused, and how the listing reads.
import { expect, test } from 'vitest';
import { Program } from '../../src/routine/program';
import { type Routine, routine } from '../../src/routine/routine';
import { int } from '../../src/state/layout';
import { at, toy } from './toy';

function build(roots: readonly Routine[], ...active: string[]): Program {
  return new Program(roots, { known: new Set(['bz-01', 'bz-02']), active: new Set(active) });
}

function listing(program: Program, name: string): string[] {
  return program.named(name)!.lines.map(({ text, depth }) => '  '.repeat(depth - 1) + text);
}

const cleaner = toy('cleaner', (b) => [
  at(b, 'clear the write bit'),
  b.variant('bz-01', [], [at(b, 'flush the TLB')]),
  b.variant('bz-02', [at(b, 'flush it once more')]),
]);

test('a variant leaves only its active branch in the table', () => {
  expect(listing(build([cleaner]), 'cleaner')).toEqual(['clear the write bit;', 'flush the TLB;']);
  expect(listing(build([cleaner], 'bz-01', 'bz-02'), 'cleaner')).toEqual([
    'clear the write bit;',
    'flush it once more;',
  ]);
});

test('a variant that does not exist is refused, whether it is on or not', () => {
  const root = toy('root', (b) => [b.variant('bz-99', [at(b, 'x')])]);
  expect(() => build([root])).toThrow('a variant called bz-99');
});

const ping: Routine = routine('ping.c', 'ping', {}, (b) => [b.call(pong, () => ({}))]);
const pong: Routine = routine('pong.c', 'pong', {}, (b) => [b.call(ping, () => ({}))]);

test('routines may call each other in a circle; what the roots reach is built, once', () => {
  const program = build([ping, cleaner, ping]);
  const names = program.routines.map((r) => `${r.number} ${r.routine.name}`);
  expect(names).toEqual(['1 ping', '2 cleaner', '3 pong']);
  expect(program.numberOf(pong)).toBe(3);
});

test('a routine that nobody reaches has no number', () => {
  expect(() => build([cleaner]).numberOf(pong)).toThrow('pong among the routines of this machine');
  expect(build([cleaner]).named('pong')).toBeUndefined();
});

test('the listing shows the structure as the author wrote it, each operation on its line', () => {
  const root = toy('root', (b) => [
    b.loop('for_each_vma(vma)', [
      b.when('vma == NULL', (f) => f.i === 0, [b.leave()], [at(b, 'walk(vma)'), b.again()]),
    ]),
    b.choose('ret = alloc()', ['memory', 'none'], 'got'),
    b.ret('0', () => 0),
  ]);
  const program = build([root]);
  expect(listing(program, 'root')).toEqual([
    'for_each_vma(vma) {',
    '  if (vma == NULL) {',
    '    break;',
    '  } else {',
    '    walk(vma);',
    '    continue;',
    '  }',
    '}',
    'ret = alloc();  /* memory or none */',
    'return 0;',
  ]);
  const { lines, ops } = program.named('root')!;
  const texts = lines.flatMap(({ op }) => (op === undefined ? [] : [ops[op]!.text]));
  expect(texts).toEqual(['walk(vma)', 'ret = alloc()', 'return 0']);
});

test('a routine that does not say how it ends returns at its end', () => {
  const ends = (name: string, body: Parameters<typeof toy>[1]) =>
    build([toy(name, body)])
      .named(name)!
      .ops.at(-1)!.text;
  expect(ends('step', (b) => [at(b, 'x')])).toBe('return');
  expect(ends('empty', () => [])).toBe('return');
  expect(ends('branch', (b) => [b.when('i', (f) => f.i === 1, [b.ret('1')])])).toBe('return');
});

test.each<[string, Parameters<typeof toy>[1]]>([
  ['is empty', (b) => [b.loop('for (;;)', [])]],
  ['holds only a condition', (b) => [b.loop('for (;;)', [b.when('i', (f) => f.i > 0, [])])]],
  ['goes again before its step', (b) => [b.loop('for (;;)', [b.again(), at(b, 'x')])]],
  [
    'skips its step on one way',
    (b) => [b.loop('for (;;)', [b.when('i', (f) => f.i > 0, [at(b, 'x')])])],
  ],
])('a loop that %s would turn without a step, and is refused', (_what, body) => {
  expect(() => build([toy('root', body)])).toThrow('root: every loop contains a step');
});

test('leave and again outside of a loop are refused', () => {
  expect(() => build([toy('root', (b) => [b.leave()])])).toThrow('root: break inside a loop');
  expect(() => build([toy('root', (b) => [b.again()])])).toThrow('root: continue inside a loop');
});

test('an argument and a local of one name are refused, and so is a result for no local', () => {
  const twice = routine('toy.c', 'twice', { args: { n: int }, locals: { n: int } }, () => []);
  expect(() => build([twice])).toThrow('twice has one field n');
  const nowhere = toy('nowhere', (b) => [b.choose('which', ['a', 'b'], 'size' as never)]);
  expect(() => build([nowhere])).toThrow('nowhere has a field size');
});

test('a body with something else than operations in it is refused', () => {
  const root = toy('root', () => [undefined]);
  expect(() => build([root])).toThrow('root: the body is a list of operations');
});
