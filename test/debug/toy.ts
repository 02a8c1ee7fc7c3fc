// A toy debuggee for the tests of the debugger: threads of `add N`, `touch ADDRESS`, `spin N`, `await N` and `turn` over one
// counter, in a language of one statement a line. It has what the debugger looks for: statements with spans, kernel
// routines with locks and events, structs of every kind of field, a worker, expressions, findings.
import { lineStarts, positionAt } from '../../src/base/text';
import type { Host } from '../../src/debug/adapter';
import type {
  Debuggee,
  Evaluated,
  LoadProblem,
  RunOptions,
  Value,
  Where,
} from '../../src/debug/debuggee';
import { Locations } from '../../src/machine/locations';
import { Engine } from '../../src/routine/engine';
import { spinlock } from '../../src/routine/locks';
import { Program } from '../../src/routine/program';
import { fnptr, type Routine, routine } from '../../src/routine/routine';
import { tracepoint } from '../../src/state/events';
import {
  array,
  bits,
  flags,
  int,
  long,
  oneOf,
  pte,
  ref,
  struct,
  type View,
} from '../../src/state/layout';
import { cpu_idle, toy_interrupt } from '../routine/toy';

export const toy_page = struct('toy_page', {
  fixed: { index: int },
  shared: { entry: pte, state: oneOf({ FREE: 0, BUSY: 1 }), mode: flags({ READ: 1, WRITE: 2 }) },
});
export const toy_box = struct('toy_box', {
  fixed: { first: ref('toy_page'), spare: ref('toy_page') },
  shared: { hook: fnptr({}), sizes: array(int, 3), value: int, bitmap: bits },
  own: { lock: spinlock('toy_box') },
});

declare module '../../src/state/layout' {
  interface Structs {
    toy_page: View<typeof toy_page>;
    toy_box: View<typeof toy_box>;
  }
}

const page_fault = tracepoint('page_fault', { address: long, error_code: int, cpu: int, pid: int });
const violation = tracepoint('violation', { index: int });

const box = (k: Engine) => k.the('box', 'toy_box');

const grow = routine(
  'kernel/grow.c',
  'grow',
  { args: { n: int }, locals: { old: int }, returns: int },
  (b) => [
    b.acquire('spin_lock(&box->lock)', (_f, k) => box(k).lock),
    b.step('old = box->value', (f, k) => {
      f.old = box(k).value;
    }),
    b.step('box->value = old + n', (f, k) => {
      box(k).value = f.old + f.n;
    }),
    b.release('spin_unlock(&box->lock)', (_f, k) => box(k).lock),
    b.ret('old', (f) => f.old),
  ],
);

const handle_fault = routine(
  'kernel/fault.c',
  'handle_fault',
  { args: { address: long, page: ref('toy_page') }, locals: { entry: pte } },
  (b) => [
    b.step('entry = page->entry', (f) => {
      f.entry = f.page.entry;
    }),
    b.when('!pte_write(entry)', (f) => (f.entry.lo & 2) === 0, [
      b.step('page->entry = pte_mkwrite(entry)', (f) => {
        f.page.entry = { lo: f.entry.lo | 0x67, hi: -0x80000000 };
      }),
    ]),
  ],
);

const touch = routine('kernel/fault.c', 'touch', { args: { address: long } }, (b) => [
  b.step('raise a page fault', (f, k) => {
    const present = box(k).first.entry.lo & 1;
    k.emit(page_fault, { address: f.address, error_code: 2 | present, cpu: k.cpu, pid: 7 });
  }),
  b.call(handle_fault, (f, k) => ({ address: f.address, page: box(k).first })),
]);

const worker = routine('kernel/worker.c', 'worker', { mode: 'device', locals: { n: int } }, (b) => [
  b.loop('for (;;)', [
    b.statement(undefined, [
      b.wait('box->value > 1000', (_f, k) => box(k).value > 1000),
      b.step('box->value = 0', (_f, k) => {
        box(k).value = 0;
      }),
    ]),
  ]),
]);

const kernel = [grow, touch, worker];

/** Reads the toy's text. `bits N` says how large the box's bitmap is. Threads begin with `thread NAME`; each other line is one statement. */
function read(
  text: string,
): { threads: { name: string; root: Routine }[]; bits: number } | LoadProblem[] {
  const problems: LoadProblem[] = [];
  let bits = 64;
  const threads: { name: string; lines: { from: number; to: number; words: string[] }[] }[] = [];
  let from = 0;
  text.split('\n').forEach((line, i) => {
    const words = line.trim().split(/\s+/);
    const span = { from: from + line.search(/\S|$/), to: from + line.length };
    from += line.length + 1;
    if (words[0] === '' || words[0]!.startsWith('//')) return;
    if (words[0] === 'bits') bits = Number(words[1]);
    else if (words[0] === 'thread') threads.push({ name: words[1]!, lines: [] });
    else if (['add', 'touch', 'spin', 'await', 'lose', 'turn'].includes(words[0]!)) {
      threads.at(-1)!.lines.push({ ...span, words });
    } else
      problems.push({ message: `'${words[0]}' is no statement of the toy`, line: i, column: 0 });
  });
  if (problems.length > 0) return problems;
  if (threads.length === 0) return [{ message: 'there is no scenario in this file' }];
  return { threads: threads.map(({ name, lines }) => ({ name, root: root(name, lines) })), bits };
}

function root(name: string, lines: { from: number; to: number; words: string[] }[]): Routine {
  return routine('toy', name, { mode: 'user', locals: { old: int, i: int } }, (b) =>
    lines.map(({ from, to, words }) => {
      const n = Number(words[1] ?? 0);
      const span = { from, to };
      switch (words[0]) {
        case 'add':
          return b.statement(span, [b.call(grow, () => ({ n }), 'old')]);
        case 'touch':
          return b.statement(span, [b.call(touch, () => ({ address: n }))]);
        case 'await':
          return b.statement(span, [b.wait(`box->value >= ${n}`, (_f, k) => box(k).value >= n)]);
        case 'turn':
          return b.statement(span, [
            b.loop('for (;;)', [
              b.step('i = 0', (f) => {
                f.i = 0;
              }),
            ]),
          ]);
        case 'lose':
          return b.statement(span, [
            b.step('lose a store', (_f, k) => {
              k.emit(violation, { index: 0 });
            }),
          ]);
        default:
          return b.statement(span, [
            b.step('i = 0', (f) => {
              f.i = 0;
            }),
            b.loop(`while (i < ${n})`, [
              b.when(`i == ${n}`, (f) => f.i === n, [b.leave()]),
              b.step('i++', (f) => {
                f.i++;
              }),
            ]),
          ]);
      }
    }),
  ) as Routine;
}

/** A debuggee of a toy scenario, or what is wrong with its text. */
export function toyLoad(
  path: string,
  text: string,
  options: RunOptions,
): Debuggee | readonly LoadProblem[] {
  if (options.kernel !== undefined) return [{ message: `there is no kernel ${options.kernel}` }];
  const parsed = read(text);
  if (Array.isArray(parsed)) return parsed;
  const { threads, bits } = parsed;
  const tasks = threads.map(({ name, root: r }, i) => ({
    name: `${name} on cpu${i % 2}`,
    cpu: i % 2,
    root: r,
  }));
  const daemon = { name: 'worker', cpu: -1, root: worker, daemon: true };
  const engine = new Engine({
    program: new Program([cpu_idle, toy_interrupt, ...kernel, ...threads.map((t) => t.root)], {
      known: new Set(),
      active: new Set(),
    }),
    cpus: 2,
    tasks: [...tasks, daemon],
    pools: [{ struct: toy_page as never, count: 2 }],
    statics: [{ name: 'box', struct: toy_box as never, tail: Math.ceil(bits / 32) }],
    vectors: [toy_interrupt],
    idle: cpu_idle,
    stackCells: 256,
  });
  const page = engine.alloc('toy_page');
  page.entry = { lo: 0x103000 | 0x225, hi: 0 };
  page.mode = 3;
  page.state = 1;
  const b = engine.the('box', 'toy_box');
  b.first = page;
  b.hook = engine.fn(worker as Routine);
  b.sizes.set(1, 42);
  for (const bit of [0, 1, 2, 40]) b.bitmap.set(bit);
  const lost = () => engine.events.slice().some((e) => e.name === 'violation');
  return {
    engine,
    name: 'toy',
    path,
    made: undefined,
    target: undefined,
    text,
    files: [{ path, text }],
    placeAt: (offset) => ({ path, ...positionAt(lineStarts(text), offset) }),
    threads: [...tasks, daemon].map(({ name }, task) => ({ task, name })),
    schedule: options.schedule ?? [],
    locations: new Locations(engine, { nameOf: () => undefined }),
    locate: (expression) =>
      expression === 'value'
        ? { id: 'field:box.value' }
        : { error: `${expression} is no location` },
    get done() {
      return engine.done;
    },
    evaluate: (expression, where) => evaluate(engine, expression, where),
    check: (expression) =>
      /^[\w\s><=.[\]-]+$/.test(expression) ? undefined : 'only words and comparisons',
    finding: (event) =>
      event.name === 'violation'
        ? {
            message: 'byte 3 of the box is 0, 7 was stored',
            causes: ['a stored 7', 'nobody heard of it'],
          }
        : undefined,
    describe: (address) =>
      address >= 4096 ? `page ${Math.floor(address / 4096)} of box` : undefined,
    nameOf: (name, at) => (name === 'toy_page' && at === page.at ? 'cover' : undefined),
    absent: () => [],
    verdict: () =>
      lost() ? { lines: ['violated'], exitCode: 1 } : { lines: ['holds'], exitCode: 0 },
  };
}

/** `value`, names in reach, numbers, and comparisons of two of them. */
function evaluate(engine: Engine, expression: string, where: Where): Evaluated {
  const term = (text: string): Value | undefined =>
    /^\d+$/.test(text) ? Number(text) : text === 'value' ? box(engine).value : where.lookup(text);
  const [left = '', operator, right = ''] = expression.split(/\s*(==|>=|>)\s*/);
  const a = term(left.trim());
  const b = operator === undefined ? a : term(right.trim());
  if (a === undefined || b === undefined)
    return { error: `'${(a === undefined ? left : right).trim()}' is not known here` };
  if (operator === undefined) return { value: a };
  return { value: operator === '==' ? a === b : operator === '>' ? a > b : a >= b };
}

/** Files by name; `slow.toy` takes a while, `never.toy` cannot be read. */
export const toyFiles: Record<string, string> = {
  '/toys/two.toy': [
    'thread a',
    '  add 1',
    '  add 2',
    '  touch 8192',
    'thread b',
    '  add 10',
    '  add 20',
    '',
  ].join('\n'),
  '/toys/stuck.toy': ['thread a', '  await 5', 'thread b', '  add 1', ''].join('\n'),
  '/toys/long.toy': ['thread a', '  spin 3000000', '  add 1', ''].join('\n'),
  '/toys/lost.toy': ['thread a', '  add 1', '  lose', '  add 2', ''].join('\n'),
  '/toys/bad.toy': ['thread a', '  subtract 1', '  divide 2', ''].join('\n'),
};

export const toyHost: Host = {
  read: async (path) => {
    const text = toyFiles[path];
    if (text === undefined) throw new Error(`${path} does not exist`);
    return text;
  },
  load: toyLoad,
};
