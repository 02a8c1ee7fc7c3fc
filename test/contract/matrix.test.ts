// The contract for every kind of surface and of access, each cell both ways: it holds as the driver is, and with the
// tracker left out (`tracking-off`; for R4 `bz-53`) it reports the rule, the value, and exactly the bytes concerned. R1: a store of a CPU
// is seen by GPU work submitted later; R2: a store of the GPU is seen by CPUs after its fence; R3: without either it is a
// race; R4: bytes beside it are left alone.
import { describe, expect, test } from 'vitest';
import type { RunOptions } from '../../src/scenario/load';
import { stepsMax } from '../../src/scenario/run';
import { Timeline } from '../../src/timeline/timeline';
import { load } from '../scenario/outcome';

/** Every kind of surface, of five pages or more. */
const surfaces: Readonly<Record<string, string>> = {
  buffer: 'surface s: buffer 5 pages coherent',
  'part of a buffer':
    'surface whole: buffer 3 pages coherent\nsurface s: buffer 5 pages coherent in whole offset 3 pages',
  texture: 'surface s: texture rgba8 64 by 80 coherent',
  'texture with levels': 'surface s: texture rgba8 64 by 64 mips 7 coherent',
  array: 'surface s: texture rgba8 32 by 32 layers 5 coherent',
  cube: 'surface s: cube rgba8 32 mips 6 coherent',
  volume: 'surface s: texture rgba8 32 by 32 by 5 coherent',
  'multisample texture': 'surface s: texture rgba8 64 by 40 samples 2 coherent',
  'texture of blocks': 'surface s: texture bc1 256 by 160 coherent',
};

/** The bytes that are accessed: two pages and a piece of each of their neighbours. */
const from = 4000;
const to = 12500;
const range = `[${from} .. ${to}]`;

interface Found {
  readonly verdict: string;
  /** `rule surface from .. to: what was seen`, of neighbouring bytes together. */
  readonly violations: readonly string[];
  readonly races: readonly string[];
  readonly causes: readonly (readonly string[])[];
}

/** What the contract finds in a run to its end. */
function found(text: string, options: RunOptions = {}): Found {
  const { run, schedule } = load(text, options);
  expect(new Timeline(run.engine, schedule).run(() => undefined, stepsMax)).toBe('end');
  const problems = run.problems(true).filter(({ kind }) => !/^(R\d|race)$/.test(kind));
  expect(problems.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([]);
  const { contract } = run;
  const join = (all: ReturnType<typeof contract.violations>) => {
    const lines: { text: string; from: number; to: number }[] = [];
    for (const { kind, surface, from: begin, to: end, says } of all) {
      const name = contract.surfaceName(surface);
      const told = `${kind} ${name}: ${says('')}`.replace(/: $/, '');
      const last = lines.at(-1);
      if (last?.text === told && last.to === begin) last.to = end;
      else lines.push({ text: told, from: begin, to: end });
    }
    return lines.map(({ text: told, from: begin, to: end }) => `${told}: ${begin} .. ${end}`);
  };
  return {
    verdict: run.verdict(true),
    violations: join(contract.violations()),
    races: join(contract.races()),
    causes: contract.violations().map(({ cause }) => cause),
  };
}

const attached = `submit { draw reads s, draw reads other, draw reads scratch } as ready
    wait ready`;

/** A scenario on a surface: `other` is one to copy from and to, and `r` another mapping of it. */
const scenario = (surface: string, body: string, ready = attached): string => `scenario "matrix"
${surfaces[surface]}
surface other: buffer 5 pages coherent
surface scratch: buffer 5 pages
process app {
  let p = map s
  let r = map scratch
  let w = map other
  thread t on cpu0 {
    ${ready}
    ${body}
  }
}`;

type Accesses = Readonly<Record<string, string>>;

const cpuStores: Accesses = {
  'a store': `write p${range} = 7`,
  'a store of the kernel': `copy_to_user p${range} = 7`, // read(2) into the mapping
  'a copy to it': `write r${range} = 7, copy r${range} to p[${from}]`,
};

const cpuLoads: Accesses = {
  'a load': `read p${range}`,
  'a load of the kernel': `copy_from_user p${range}`, // write(2) from the mapping
  'a copy of it': `copy p${range} to r[${from}]`,
};

const gpuReads: Accesses = {
  'a draw': `draw reads s${range}`,
  'a display': 'present s',
  'a GPU copy': `copy s${range} to other[${from}]`,
  'generating levels': 'genmips s',
};

const gpuStores: Accesses = {
  'a draw': `draw writes s${range} = 7`,
  'a clear': `clear s${range} = 7`,
  'a GPU copy': `clear other = 7, copy other${range} to s[${from}]`,
};

const off: RunOptions = { with: ['tracking-off'] };

/** Each with each for a buffer; of the others, every access once. Not every surface can be copied, or has levels. */
function pairs(
  surface: string,
  first: Accesses,
  second: Accesses,
): [string, string, string, string][] {
  const can = (name: string) =>
    (name !== 'a GPU copy' || surface.endsWith('buffer')) &&
    (name !== 'generating levels' || surface === 'texture with levels');
  const [a, b] = [first, second].map((all) => Object.entries(all).filter(([name]) => can(name)));
  const once = Math.max(a!.length, b!.length);
  return surface === 'buffer'
    ? a!.flatMap(([x, i]) => b!.map(([y, j]): [string, string, string, string] => [x, y, i, j]))
    : Array.from({ length: once }, (_, n) => {
        const [x, i] = a![n % a!.length]!;
        const [y, j] = b![n % b!.length]!;
        return [x, y, i, j];
      });
}

/** The same with the wait for the fence before the access. */
const waited = (racing: string): string =>
  racing.replace(/(as done)([^]*)(\n *wait done)/, '$1$3$2');

describe.each(Object.keys(surfaces))('%s', (surface) => {
  const both = (body: string) => [
    found(scenario(surface, body)),
    found(scenario(surface, body), off),
  ];
  const clean = { verdict: 'holds', violations: [], races: [], causes: [] };

  test.each(pairs(surface, cpuStores, gpuReads))('R1: %s, then %s', (_x, _y, store, read) => {
    const [holds, broken] = both(`${store}\n    submit { ${read} } as done\n    wait done`);
    expect(holds).toEqual(clean);
    expect(broken?.violations).toEqual([
      `R1 s: the GPU read 0 instead of 7, which the CPU had stored before: ${from} .. ${to}`,
    ]);
    expect(broken?.causes[0]?.join('\n')).toMatch(/the store that was lost\n.*no scan looked/s);
  });

  test.each(pairs(surface, gpuStores, cpuLoads))('R2: %s, then %s', (_x, _y, store, read) => {
    const [holds, broken] = both(`submit { ${store} } as done\n    wait done\n    ${read}`);
    expect(holds).toEqual(clean);
    expect(broken?.violations).toEqual([
      `R2 s: the CPU read 0 instead of 7, which the GPU had stored before: ${from} .. ${to}`,
    ]);
    expect(broken?.causes[0]?.join('\n')).toMatch(/the store that was lost\n.*no readback/s);
  });

  test.each(pairs(surface, cpuStores, gpuReads))('R3: %s during %s', (_x, _y, store, read) => {
    const race = `submit { ${read} } as done\n    ${store}\n    wait done`;
    const [first, ...more] = found(scenario(surface, race)).races;
    expect(first).toMatch(/^race s: the CPU stored while submission 2 \(fence done\) reads it/);
    for (const line of [first, ...more]) expect(bytesOf(line!)).toEqual([from, to]);
    expect(found(scenario(surface, waited(race)))).toEqual(clean);
  });

  test.each(pairs(surface, gpuStores, { ...cpuStores, ...cpuLoads }))(
    'R3: %s, and meanwhile %s',
    (_x, _y, store, access) => {
      const race = `submit { ${store} } as done\n    ${access}\n    wait done`;
      const { races, violations } = found(scenario(surface, race));
      expect(violations).toEqual([]); // the application's own, and nobody else's
      expect(races.length).toBeGreaterThan(0);
      for (const line of races) {
        expect(line).toMatch(/^race s: the CPU (stored|loaded) while submission 2 \(fence done\)/);
        expect(bytesOf(line)).toEqual([from, to]);
      }
      expect(found(scenario(surface, waited(race)))).toEqual(clean);
    },
  );

  test.each(pairs(surface, cpuStores, gpuStores))('R4: %s beside %s', (_x, _y, store, gpu) => {
    // The GPU writes what lies before it, the last piece in the same page; everybody sees both.
    const beside = gpu
      .replace(`s${range}`, `s[0 .. ${from}]`)
      .replace(`other${range} to s[${from}]`, `other[0 .. ${from}] to s[0]`)
      .replaceAll('= 7', '= 9');
    const seen = `read p
    assert p[0 .. ${from}] == 9 and p${range} == 7 and p[${to} .. 5 pages] == 0`;
    const gpuFirst = `submit { ${beside} } as first
    wait first
    ${store}
    submit { draw reads s } as second
    wait second
    ${seen}`;
    expect(found(scenario(surface, gpuFirst))).toEqual(clean);

    // The other way round, and at the first submission: one that loses the note of the store has the readback of the GPU's
    // bytes take the CPU's away.
    const cpuFirst = `${store}
    submit { ${beside} } as first
    wait first
    read p`;
    expect(found(scenario(surface, cpuFirst, ''))).toEqual(clean);
    const lost = found(scenario(surface, cpuFirst, ''), { with: ['bz-53'] });
    expect(lost.violations).toEqual([
      `R4 s: the CPU read 0 instead of 7, which the CPU had stored before: ${from} .. ${to}`,
    ]);
    expect(lost.causes[0]?.join('\n')).toMatch(/the store that was lost\n/);
  });
});

function bytesOf(line: string): number[] {
  const { groups } = /: (?<a>\d+) \.\. (?<b>\d+)$/.exec(line) ?? {};
  return [Number(groups?.a), Number(groups?.b)];
}
