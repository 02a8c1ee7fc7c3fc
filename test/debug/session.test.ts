import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { functionPattern, parseHitCondition } from '../../src/debug/breakpoints';
import type { Debuggee } from '../../src/debug/debuggee';
import { parseLaunch } from '../../src/debug/launch';
import { Listings, signature } from '../../src/debug/listings';
import { breakablePlaces, place, type SourceKey, type Wanted } from '../../src/debug/placing';
import { loadDebuggee } from '../../src/debug/scenario';
import { Session, type Stop } from '../../src/debug/session';
import { Sources } from '../../src/debug/sources';
import { eventNames, filters } from '../../src/debug/stops';
import { pteText } from '../../src/debug/variables';
import { toyFiles, toyLoad } from './toy';

const load = (text: string): Debuggee =>
  toyLoad('/toys/x.toy', text, { with: [], without: [] }) as Debuggee;

/** Runs a motion that was begun to its stop. */
function finish(session: Session): Stop {
  for (;;) {
    const stop = session.advance(7); // small chunks: a motion must survive them
    if (stop !== undefined) return stop;
  }
}

const wish = (id: number, at: Wanted['at'], more: Partial<Wanted> = {}): Wanted => ({
  id,
  at,
  condition: undefined,
  hitCondition: undefined,
  log: undefined,
  ...more,
});

/** Texts of the toy: up to three threads of up to six statements. */
const statement = fc.oneof(
  fc.integer({ min: 1, max: 30 }).map((n) => `  add ${n}`),
  fc.integer({ min: 1, max: 3 }).map((n) => `  touch ${n * 4096}`),
  fc.integer({ min: 0, max: 5 }).map((n) => `  spin ${n}`),
);
const texts = fc
  .array(fc.array(statement, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 })
  .map((threads) => threads.flatMap((lines, i) => [`thread t${i}`, ...lines]).join('\n'));

test('reverse continue visits every stop of continue, in the other order, conditions and counts alike', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 3 }), (text, n) => {
      const session = new Session(load(text));
      const grow: SourceKey = { kind: 'listing', file: 'kernel/grow.c' };
      const wanted: [Wanted, SourceKey?][] = [
        [wish(1, { kind: 'line', line: 5 }, { condition: 'n > 9' }), grow],
        [wish(2, { kind: 'line', line: 7 }, { hitCondition: `% ${n}` }), grow],
        [wish(3, { kind: 'line', line: 1 }), { kind: 'scenario', path: '/toys/x.toy' }],
        [wish(4, { kind: 'function', name: 'handle_*' }, { hitCondition: `>= ${n}` })],
        [wish(5, { kind: 'filter', filter: 'fault' }, { condition: 'address > 8191' })],
      ];
      wanted.forEach(([w, source], i) => {
        session.breakpoints.replace(`${i}`, [place(session, w, source).placed!]);
      });
      session.start(true);
      const there: string[] = [];
      const note = (stop: Stop) => `${session.timeline.position} ${stop.reason} ${stop.hits}`;
      for (;;) {
        session.continue(0);
        const stop = finish(session);
        if (stop.reason === 'end') break;
        there.push(note(stop));
      }
      const back: string[] = [];
      for (;;) {
        session.reverseContinue(0);
        const stop = finish(session);
        if (stop.reason === 'entry') break;
        back.push(note(stop));
      }
      expect(session.timeline.position).toBe(0);
      expect(back.reverse()).toEqual(there);
    }),
    { numRuns: 150 },
  );
});

test('a step back ends where the step over began, whatever the thread does meanwhile', () => {
  fc.assert(
    fc.property(
      texts,
      fc.array(fc.constantFrom('over', 'into', 'out'), { maxLength: 8 }),
      (text, walk) => {
        const session = new Session(load(text));
        session.start(true);
        for (const how of walk) {
          if (session.atEnd) break;
          session.step(0, how as 'over', 'statement');
          finish(session);
        }
        if (session.engine.isFinished(0)) return;
        const from = session.timeline.position;
        const hash = session.engine.store.hash();
        session.step(0, 'over', 'statement');
        const stop = finish(session);
        // Out of a routine that returns meanwhile the inverse of one step is one step less deep: not asked here.
        if (stop.reason !== 'step' || walk.some((how) => how !== 'over')) return;
        session.stepBack(0, 'over', 'statement');
        finish(session);
        expect(session.timeline.position).toBe(from);
        expect(session.engine.store.hash()).toBe(hash);
      },
    ),
    { numRuns: 150 },
  );
});

test('a micro-step back undoes a micro-step, from every moment of a run', () => {
  const session = new Session(load(toyFiles['/toys/two.toy']!));
  session.start(true);
  const moments: [number, string][] = [];
  for (;;) {
    session.step(0, 'into', 'instruction');
    if (finish(session).reason !== 'step' || session.engine.isFinished(0)) break;
    moments.push([session.timeline.position, session.engine.store.hash()]);
  }
  expect(moments.length).toBeGreaterThan(15);
  moments.pop();
  session.stepBack(0, 'into', 'instruction');
  finish(session);
  for (let moment = moments.pop(); moment !== undefined; moment = moments.pop()) {
    session.stepBack(0, 'into', 'instruction');
    finish(session);
    expect([session.timeline.position, session.engine.store.hash()]).toEqual(moment);
  }
});

test('every line of a listing that stands for an operation is found again from the operation', () => {
  const { program } = load(toyFiles['/toys/two.toy']!).engine;
  const listings = new Listings(program);
  let found = 0;
  for (const listing of listings.all) {
    const lines = listing.text.split('\n');
    for (const line of listings.linesWithin(listing, 0, lines.length)) {
      const { place: at, line: same } = listings.opFrom(listing, line)!;
      expect(same).toBe(line);
      expect(listings.lineOf(at.code, at.pc)).toEqual({ listing, line });
      found++;
    }
  }
  expect(found).toBeGreaterThan(12);
  expect(signature(program.named('handle_fault')!)).toBe(
    'void handle_fault(unsigned long address, struct toy_page *page)',
  );
  const session = new Session(load('thread a\n  add 1\n\n  add 2\n'));
  const places = breakablePlaces(session, { kind: 'scenario', path: '/toys/x.toy' }, 0, 9);
  expect(places.map(({ start }) => [start.line, start.column])).toEqual([
    [1, 2],
    [3, 2],
  ]);
});

test('hit counts, function patterns, entries and paths are read as written', () => {
  const hits = (text: string) => [1, 2, 3, 4, 5, 6].filter((n) => parseHitCondition(text)!(n));
  expect(hits('3')).toEqual([3]);
  expect(hits(' == 3')).toEqual([3]);
  expect(hits('>=5')).toEqual([5, 6]);
  expect(hits('> 5')).toEqual([6]);
  expect(hits('<= 2')).toEqual([1, 2]);
  expect(hits('< 2')).toEqual([1]);
  expect(hits('% 2')).toEqual([2, 4, 6]);
  for (const text of ['', 'x', '% 0', '3 4', '-1']) expect(parseHitCondition(text)).toBe(undefined);
  expect(functionPattern('vmw_*').test('vmw_bo_vm_fault')).toBe(true);
  expect(functionPattern('*fault').test('do_page_fault2')).toBe(false);
  expect(functionPattern('a.b').test('axb')).toBe(false);
  expect(pteText({ lo: 0x103867, hi: -0x80000000 })).toBe('P W U A D SD NX pfn 0x103');
  expect(pteText({ lo: 0, hi: 0 })).toBe('none');
  const sources = new Sources((file) => `listing:/${file}`, { has: () => false });
  const session = new Session({
    ...load('thread a\n  add 1'),
    files: [{ path: 'c:\\s\\x y.coh', text: '' }],
  });
  const same = (path: string) => sources.keyOf(session, { path })?.kind;
  expect(['C:/s/x y.coh', 'file:///C:/s/x%20y.coh', 'c:/s/y.coh'].map(same)).toEqual([
    'scenario',
    'scenario',
    undefined,
  ]);
  expect(sources.keyOf(session, { path: 'listing:/kernel/grow.c' })).toEqual({
    kind: 'listing',
    file: 'kernel/grow.c',
  });
});

test('every filter catches the events it names and no other; names of its condition are the arguments', () => {
  const fault = (error_code: number) => ({
    index: 0,
    name: 'page_fault',
    step: 1,
    task: 0,
    args: { address: 4096, error_code, cpu: 0 },
  });
  const caught = (event: ReturnType<typeof fault>) =>
    filters.filter((f) => f.catches(event)).map((f) => f.id);
  expect(caught(fault(2))).toEqual(['fault', 'fault-not-present']);
  expect(caught(fault(4))).toEqual(['fault', 'fault-read', 'fault-not-present']);
  expect(caught(fault(7))).toEqual(['fault', 'fault-write-protect']);
  expect(caught(fault(5))).toEqual(['fault', 'fault-read']);
  expect(caught({ ...fault(0), name: 'vmw_dirty_sync' })).toEqual(['dirty-flush']);
  expect(caught({ ...fault(0), name: 'assertion', args: { holds: true } as never })).toEqual([]);
  expect(caught({ ...fault(0), name: 'assertion', args: { holds: false } as never })).toEqual([
    'assertion',
  ]);
  const names = eventNames(fault(7));
  expect([names('address'), names('write'), names('value')]).toEqual([4096, true, undefined]);
});

test('launch arguments are read in full, and an empty choice is no choice', () => {
  expect(
    parseLaunch({ program: 'x', kernel: '', with: ['bz-01'], schedule: '2x3', stopOnEntry: false }),
  ).toEqual({
    program: 'x',
    stopOnEntry: false,
    noDebug: false,
    history: 256 * 2 ** 20,
    options: { with: ['bz-01'], without: [], schedule: Array(3).fill({ agent: 2, branch: 0 }) },
  });
});

test('who steps over a scan of a whole buffer comes to the same stops as who looks at its every micro-step', () => {
  const path = 'examples/02-large-buffer.coh';
  const stops = (asked: readonly Wanted[]): string[] => {
    const loaded = loadDebuggee(path, readFileSync(path, 'utf8'), { with: [], without: [] });
    const session = new Session(loaded as Debuggee);
    for (const wanted of asked)
      session.breakpoints.replace(`${wanted.id}`, [place(session, wanted).placed!]);
    session.start(true);
    const found: string[] = [];
    const go = (move: (task: number) => void) => {
      move(session.stopped!.task);
      const { reason, title } = finish(session);
      found.push(`${session.timeline.position} ${reason}: ${title}`);
    };
    for (let i = 0; i < 12; i++) go((task) => session.step(task, 'over', 'statement'));
    for (let i = 0; i < 3; i++) {
      go((task) => session.continue(task));
      go((task) => session.step(task, 'out', 'statement'));
      go((task) => session.step(task, 'over', 'instruction'));
    }
    return found;
  };
  const flush = wish(1, { kind: 'filter', filter: 'dirty-flush' });
  const never = wish(2, { kind: 'function', name: 'apply_pt_*' }, { condition: '1 == 2' });
  const [quick, slow] = [stops([flush]), stops([flush, never])];
  expect(quick).toEqual(slow);
  expect(quick.filter((stop) => stop.includes('exception'))).toHaveLength(4);
});
