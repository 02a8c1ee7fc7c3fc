// What a text of 10,000 lines costs the editor: the bare parsing library, the tree, all checks; from cold (the first
// in this process), warm, and after one edit; then completion and hover in it. One scenario of that length, and as many
// lines in a hundred scenarios.
import { complete } from '../../src/language/completion';
import { hover } from '../../src/language/hover';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { parser } from '../../src/syntax/grammar';
import { parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { table } from './measure';

const LINES = 10_000;

/** Scenarios of many threads, each streaming through the ring. */
function generate(scenarios: number): string {
  const lines: string[] = [];
  for (let s = 1; s <= scenarios; s++) {
    const end = (LINES * s) / scenarios;
    lines.push(
      `scenario "generated ${s}"`,
      'machine { kernel series-v2, cpus 2 }',
      'surface ring: buffer 96KiB coherent',
      'process app {',
      '  let p = map ring',
    );
    for (let n = 0; lines.length < end - 12; n++)
      lines.push(
        `  thread t${n} on cpu${n % 2} { // streams`,
        '    repeat 6 as frame {',
        '      let section = (frame % 3) * 32KiB',
        `      if frame >= 3 { wait done${n}[frame - 3] }`,
        '      write p[section .. section + 32KiB] = frame',
        '      assert pte(p[section]).dirty and tracker(ring).method == pagetable',
        `      submit { draw reads ring[section .. section + 32KiB] } as done${n}[frame]`,
        '    }',
        `    wait done${n}[5]`,
        '    assert gpu(ring)[64KiB] == 5',
        '  }',
      );
    lines.push('}');
    while (lines.length < end) lines.push('finally not violation');
  }
  return `${lines.join('\n')}\n`;
}

function milliseconds(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** Cold, and the median of the runs after it. */
function measured(run: () => void): readonly [string, string] {
  const cold = milliseconds(run);
  const warm = Array.from({ length: 15 }, () => milliseconds(run)).sort((a, b) => a - b);
  return [cold.toFixed(1), (warm[7] ?? 0).toFixed(1)];
}

for (const scenarios of [1, 100]) {
  const text = generate(scenarios);
  const at = text.indexOf('frame', text.length >> 1);
  const edited = `${text.slice(0, at)} ${text.slice(at)}`;

  const bare = measured(() => parser.parse(text));
  const tree = measured(() => parse(text));
  const checks = measured(() => check(text, known));
  const checked = check(text, known);
  if (checked.diagnostics.length > 0) throw new Error(checked.diagnostics[0]?.message);
  const tree2 = measured(() => parse(edited, checked.parsed));
  const checks2 = measured(() => check(edited, known, { previous: checked }));
  const printed = measured(() => print(checked.parsed));
  const completion = measured(() => complete(checked, at, known));
  const shown = measured(() => hover(checked, at, known));

  const size = `${LINES} lines, ${(text.length / 1024).toFixed(0)} KiB`;
  table(`language: ${size}, scenarios: ${scenarios}, milliseconds`, [
    ['', 'cold', 'warm'],
    ['parsing library alone', ...bare],
    ['text to tree', ...tree],
    ['text to diagnostics', ...checks],
    ['after one edit, to tree', ...tree2],
    ['after one edit, to diagnostics', ...checks2],
    ['format', ...printed],
    ['completion', ...completion],
    ['hover', ...shown],
  ]);
}
