// Recorded programs in the debugger: the run stands where it first comes out otherwise than recorded.
import { readFileSync } from 'node:fs';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { afterEach, expect, test } from 'vitest';
import { loadProgram } from '../../src/debug/program';
import { Client } from './client';

const directed = readFileSync('test/conform/recordings/directed.jsonl', 'utf8');

/** One program of the recordings, its operations changed. */
function doctored(program: string, change: (op: { i: number }, line: string) => string): string {
  const lines = directed.split('\n');
  const first = lines.findIndex((line) => line.includes(`"program":"${program}"`));
  const length = lines.slice(first + 1).findIndex((line) => !line.includes('"op"'));
  const own = lines.slice(first, first + 1 + length);
  return own.map((line, i) => (i === 0 ? line : change(JSON.parse(line), line))).join('\n');
}

/** One bit of one entry is changed: page 5 is said to be write-protected after operation 3, which wrote it. */
const wrong = doctored('fault-mkwrite-write-absent', ({ i }, line) =>
  i === 3 ? line.replace('"5":"wuadspn"', '"5":"-uadspn"') : line,
);

const files: Readonly<Record<string, string>> = {
  'all.jsonl': directed,
  'wrong.jsonl': wrong,
  'none.jsonl': 'scenario "s"',
  'odd.jsonl': doctored('fault-read-then-write-untracked', ({ i }, line) =>
    i === 2 ? line.replace('"op":"read"', '"op":"juggle"') : line,
  ),
  'a.coh': 'scenario "s"\nprocess p { }',
};
const host = { read: async (path: string) => files[path] ?? '', load: loadProgram };

let client: Client;
afterEach(() => {
  expect(client.wrong).toEqual([]);
  client.close();
});

const launched = async (launch: object): Promise<P.StoppedEvent> => {
  client = new Client(host);
  return (await client.start(launch)) as P.StoppedEvent;
};

const says = ({ body }: P.Event): unknown => ({
  reason: body.reason,
  description: body.description,
});

test('a recording with one wrong bit stops before the operation that it is wrong in, and says the field', async () => {
  const stop = await launched({ program: 'wrong.jsonl' });
  expect(stop.body).toMatchInlineSnapshot(`
    {
      "allThreadsStopped": true,
      "description": "Before operation 3, the first that differs",
      "reason": "exception",
      "text": "Operation 3, store(m0, page 5, 2), comes out otherwise than recorded:
      vmas[0].pte.5: recorded "-uadspn", emulated "wuadspn"",
      "threadId": 1,
    }
  `);
  const { body } = await client.request('exceptionInfo', { threadId: 1 });
  expect(body).toMatchInlineSnapshot(`
    {
      "breakMode": "always",
      "description": "Operation 3, store(m0, page 5, 2), comes out otherwise than recorded:
      vmas[0].pte.5: recorded "-uadspn", emulated "wuadspn"",
      "details": {
        "message": "Before operation 3, the first that differs",
        "typeName": "Differences from a recording",
      },
      "exceptionId": "difference",
    }
  `);
  expect(await client.stack()).toEqual(['process 0 @ recorded/fault-mkwrite-write-absent.c:6']);
});

test('the text is made of the operations, a line each', async () => {
  await launched({ program: 'wrong.jsonl' });
  const { body } = await client.request('stackTrace', { threadId: 1 });
  const { sourceReference } = body.stackFrames[0].source;
  const source = await client.request('source', { sourceReference, source: { sourceReference } });
  expect(source.body.mimeType).toBe('text/x-c');
  expect(source.body.content).toMatchInlineSnapshot(`
    "/* fault-mkwrite-write-absent: operations recorded on an object of 6 pages (pfn, prefault 1, from page 65536 of its file on) */

    /*   0 */ p0: mmap(m0 at 0, pages 0 .. 6, PROT_READ | PROT_WRITE, MAP_SHARED);
    /*   1 */ p0: bo_dirty_add(mkwrite);
    /*   2 */ p0: store(m0, page 0, 1);
    /*   3 */ p0: store(m0, page 5, 2);
    /*   4 */ p0: store(m0, page 2, 2);
    "
  `);
});

test('stepping in shows how it came to be, stepping on the comparison, stepping back the moment before', async () => {
  await launched({ program: 'wrong.jsonl' });
  await client.request('setExceptionBreakpoints', { filters: ['mkwrite', 'difference'] });
  await client.go('stepIn');
  await client.go('stepIn');
  const inside = await client.stack();
  expect(inside.at(-1)).toBe('process 0 @ recorded/fault-mkwrite-write-absent.c:6');
  const back = await client.go('stepBack');
  expect(says(back)).toMatchObject({ reason: 'step' });
  const after = await client.go('continue');
  expect(after.body.reason).toBe('exception');
  expect(after.body.text).toMatch(/vmas\[0\].pte.5: recorded "-uadspn", emulated "wuadspn"/);
  const before = await client.go('reverseContinue');
  expect(before.body.reason).toBe('entry');
});

test('panels, variables and names are those of the recorded machine', async () => {
  await launched({ program: 'wrong.jsonl' });
  const snapshot = await client.request('coherence/snapshot');
  expect(snapshot.body.spaces.map((s: { name: string }) => s.name)).toEqual(['process 0']);
  expect(snapshot.body.spaces[0].mappings).toMatchObject([{ name: 'm0' }]);
  const value = async (expression: string) => {
    const { success, body, message } = await client.request('evaluate', { expression });
    return success ? body.result : message;
  };
  expect(await value('pte(m0, 5)')).toBe('none');
  await client.go('next');
  expect(await value('pte(m0, 5)')).toMatch(/^P W U A D S SD NX pfn/);
  expect(await value('or_object')).toMatch(/^\{ kind KIND_PFN, pages 6/);
  expect(await value('1 + ')).toMatch(/^in a recording an expression is a name/);
  expect((await client.scope('Objects')).some((line) => line.startsWith('vm_area_struct = '))).toBe(
    true,
  );
});

test('entries of every level, their bits and cached ones are asked for, watched and in conditions; the rest is refused', async () => {
  await launched({ program: 'wrong.jsonl' });
  const asked = async () => {
    const said: string[] = [];
    for (const expression of [
      'pte(m0, 5).dirty',
      'pte(m0, 5).dirty == 1',
      'pmd(m0, 5)',
      'tlb(cpu0, m0, 5)',
      'tlb(cpu7, m0, 5)',
      'pte(m3, 0)',
      'pte(m0, 5).wet',
    ]) {
      const { success, body, message } = await client.request('evaluate', { expression });
      said.push(`${expression}: ${success ? body.result : message}`);
    }
    return said;
  };
  expect(await asked()).toMatchInlineSnapshot(`
    [
      "pte(m0, 5).dirty: 0",
      "pte(m0, 5).dirty == 1: false",
      "pmd(m0, 5): 0x80003067",
      "tlb(cpu0, m0, 5): none",
      "tlb(cpu7, m0, 5): there is no cpu7; the last is cpu0",
      "pte(m3, 0): nothing is mapped as m3 yet",
      "pte(m0, 5).wet: in a recording an expression is a name, an entry such as pte(m0, 3), pmd(m0, 3) or tlb(cpu0, m0, 3), a bit such as pte(m0, 3).dirty, or one of these compared with a number",
    ]
  `);
  const info = async (name: string) => {
    const { dataId, description } = (await client.request('dataBreakpointInfo', { name })).body;
    return dataId ?? description;
  };
  expect(await info('ring')).toMatchInlineSnapshot(
    `"of a recording entries are watched and changed, such as pte(m0, 3), pte(m0, 3).dirty, pmd(m0, 3) or tlb(cpu0, m0, 3), and what variables show; it has no surfaces, fences or counters"`,
  );
  const dataId = await info('pte(m0, 5).write');
  expect(dataId).toBe('pte:process%200:0x1000005000:RW');
  await client.request('setDataBreakpoints', {
    breakpoints: [{ dataId, condition: 'pte(m0, 5).present == 1' }],
  });
  expect((await client.go('continue')).body.description).toMatchInlineSnapshot(
    `"RW of the PTE of 0x1000005000 in process 0: 0 → 1"`,
  );
  await client.go('next');
  expect(await asked()).toMatchInlineSnapshot(`
    [
      "pte(m0, 5).dirty: 1",
      "pte(m0, 5).dirty == 1: true",
      "pmd(m0, 5): 0x80003067",
      "tlb(cpu0, m0, 5): none",
      "tlb(cpu7, m0, 5): there is no cpu7; the last is cpu0",
      "pte(m3, 0): nothing is mapped as m3 yet",
      "pte(m0, 5).wet: in a recording an expression is a name, an entry such as pte(m0, 3), pmd(m0, 3) or tlb(cpu0, m0, 3), a bit such as pte(m0, 3).dirty, or one of these compared with a number",
    ]
  `);
});

test('with no difference any program and operation may be chosen, by name or number; else the first stands', async () => {
  const chosen = await launched({
    program: 'all.jsonl',
    recorded: 'fork-shared-pfn',
    operation: 4,
  });
  expect(says(chosen)).toEqual({ reason: 'entry', description: 'Before operation 4' });
  client.close();
  const numbered = await launched({ program: 'all.jsonl', recorded: 2, stopOnEntry: true });
  expect(says(numbered)).toEqual({ reason: 'entry', description: 'Stopped on entry' });
});

test('operations of several processes come in the order of the recording', async () => {
  await launched({ program: 'all.jsonl', recorded: 'fork-shared-pfn', operation: 5 });
  const end = await client.go('continue');
  expect(end.event).toBe('terminated');
  const said = client.messages.filter((m) => (m as P.Event).event === 'output') as P.OutputEvent[];
  const ops = directed
    .split('\n')
    .slice(directed.split('\n').findIndex((l) => l.includes('"fork-shared-pfn"')) + 1);
  const count = ops.findIndex((l) => !l.includes('"op"'));
  expect(said.at(-1)?.body.output).toBe(
    `fork-shared-pfn: ${count} of ${count} operations compared, 0 differ\n`,
  );
});

test('another kernel differs where it does otherwise', async () => {
  const stop = await launched({
    program: 'all.jsonl',
    recorded: 'private-first-hides-later',
    without: ['walk-stops'],
  });
  expect(stop.body.text).toMatch(
    /^Operation 4, wp_shared_mapping_range\(pages 0 .. 6\), comes out/,
  );
});

test('an operation that cannot be replayed is where the run stops', async () => {
  const stop = await launched({ program: 'odd.jsonl' });
  expect(stop.body.text).toBe(
    'Operation 2, juggle(), comes out otherwise than recorded:\n  this operation cannot be replayed',
  );
  await client.request('setExceptionBreakpoints', { filters: [] });
  expect((await client.go('continue')).event).toBe('terminated');
  const { body } = (await client.event('exited')) as P.ExitedEvent;
  expect(body.exitCode).toBe(1);
});

const refused: readonly (readonly [object, string])[] = [
  [
    { program: 'all.jsonl', recorded: 'fork-shared-pfm' },
    'all.jsonl: the recording has no program `fork-shared-pfm`; did you mean `fork-shared-pfn`?',
  ],
  [
    { program: 'all.jsonl', recorded: 500 },
    'all.jsonl: the recording has no program `500`; it has 106',
  ],
  [
    { program: 'all.jsonl', recorded: 'fork-shared-pfn', operation: 99 },
    'all.jsonl: program `fork-shared-pfn` has no operation 99; it has those from 0 to ',
  ],
  [{ program: 'none.jsonl' }, 'none.jsonl: this is no recording of a kernel: line 1 is not JSON'],
  [{ program: 'all.jsonl', scenario: 'x' }, 'all.jsonl: a recording has no scenarios; name one of'],
  [{ program: 'all.jsonl', kernel: 'x' }, 'all.jsonl: there is no kernel `x`; there are'],
  [{ program: 'all.jsonl', without: ['walk-stop'] }, 'did you mean `walk-stops`?'],
  [
    { program: 'a.coh', recorded: 'x' },
    'a.coh: this is a scenario; "recorded" and "operation" are for',
  ],
  [{ program: 'all.jsonl', recorded: {} }, 'launch: "recorded" is the name of a program in the'],
  [{ program: 'all.jsonl', operation: 'x' }, 'launch: "operation" is the number of an operation'],
];
for (const [launch, message] of refused) {
  test(`${JSON.stringify(launch)} is refused in one sentence`, async () => {
    await expect(launched(launch)).rejects.toThrow(message);
  });
}
