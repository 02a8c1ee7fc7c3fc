// The catalogues of scenarios that a fault breaks: the bug zoo, docs/bug-zoo.md, and the reports, docs/reports.md. Every
// scenario is run both ways, by the same means. As it stands it holds; with the variant of its row a fault is found, in
// the way and in as many steps as the row says. With UPDATE=1 in the environment these two columns are rewritten; the
// difference is then to be read.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Search } from '../../src/explore/search';
import { variants } from '../../src/kernel/variants';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { stepsMax } from '../../src/scenario/run';
import { parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { Timeline } from '../../src/timeline/timeline';
import { load } from './outcome';

const catalogues = { 'docs/bug-zoo.md': 'examples/bug-zoo', 'docs/reports.md': 'examples/reports' };

interface Row {
  readonly catalogue: string;
  readonly bug: string;
  readonly variant: string;
  readonly file: string;
  readonly how: string;
  readonly steps: string;
}

const line =
  /^\| (?<bug>[^|]+) \| `(?<variant>[\w.-]+)` \| \[[^\]]+\]\(\.\.\/(?<file>examples\/[\w./-]+)\) \|(?<how>[^|]*)\|(?<steps>[^|]*)\|$/gm;
const rows = Object.keys(catalogues).flatMap((catalogue) =>
  [...readFileSync(catalogue, 'utf8').matchAll(line)].map(
    ({ groups }) => ({ catalogue, ...groups }) as unknown as Row,
  ),
);

/** The kinds of what is found, each once, and the step of the first; searched where the scenario has limits for a search. */
function found(text: string, variant: string[]): Pick<Row, 'how' | 'steps'> {
  const { run, meaning, schedule } = load(text, { with: variant });
  const kinds = (all: readonly { kind: string }[]) =>
    [...new Set(all.map((p) => p.kind))].join(', ');
  if (meaning.explore.bound !== undefined || meaning.explore.states !== undefined) {
    const search = new Search(run, { ...meaning.explore, schedule });
    while (search.state === 'running') search.go(1_000_000);
    expect(search.verdict).toBe(search.found.length > 0 ? 'violated' : 'holds');
    const steps = search.found[0]?.steps;
    return {
      how: kinds(search.found.map(({ problem }) => problem)),
      steps: steps === undefined ? '' : `${steps}, after ${search.states} states`,
    };
  }
  const end = new Timeline(run.engine, schedule).runThrough(stepsMax);
  expect(end).not.toBe('budget');
  const problems = run.problems(end === 'end').sort((a, b) => a.step - b.step);
  return { how: kinds(problems), steps: String(problems[0]?.step ?? '') };
}

describe.each(rows)('$bug, $file', (row) => {
  const text = readFileSync(row.file, 'utf8');

  test('is one scenario in canonical form, with a head comment', () => {
    const { scenarios, diagnostics } = check(text, known);
    expect(diagnostics).toEqual([]);
    expect(scenarios).toHaveLength(1);
    expect(print(parse(text))).toBe(text);
    expect(text).toMatch(/^\/\/ \S/);
  });

  test('holds as it stands', () => {
    expect(found(text, [])).toEqual({ how: '', steps: '' });
  });

  test(`with ${row.variant} the fault is found as the catalogue says`, () => {
    const { how, steps } = found(text, [row.variant]);
    expect(how).not.toBe('');
    if (process.env['UPDATE'] === '1') {
      const { catalogue } = row;
      const rewritten = readFileSync(catalogue, 'utf8').replace(line, (all: string, ...groups) => {
        const { bug, variant, file } = groups.at(-1) as Row;
        if (file !== row.file || variant !== row.variant) return all;
        return `| ${bug} | \`${variant}\` | [${basename(file)}](../${file}) | ${how} | ${steps} |`;
      });
      writeFileSync(catalogue, rewritten);
      return;
    }
    expect({ how, steps }).toEqual({ how: row.how.trim(), steps: row.steps.trim() });
  });
});

test('every scenario of the catalogues has a row, and every variant that is named for a bug', () => {
  const files = Object.values(catalogues).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.coh'))
      .map((name) => `${folder}/${name}`),
  );
  expect(files.filter((file) => !rows.some((row) => row.file === file))).toEqual([]);
  const named = variants.map(({ id }) => id).filter((id) => /^(bz|hz)-\d/.test(id));
  expect(named.filter((id) => !rows.some((row) => row.variant === id))).toEqual([]);
});
