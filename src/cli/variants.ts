// `coherence variants`: every variant with its sentence, source, releases and the presets that have it; and what faults of
// one's own can be put into a function.
import type { Command } from 'commander';
import { didYouMean } from '../base/suggest';
import { deviationForms, groups, presets, variants } from '../kernel/variants';
import { pointLines } from '../scenario/deviations';
import { check } from '../scenario/diagnostics';
import { known } from '../scenario/known';
import { BAD_INPUT, filesOf, HOLDS, readScenario } from './files';

export function addVariants(program: Command): void {
  program
    .command('variants')
    .description('list the variants: differences between kernels, and faults')
    .option('--json', 'print one JSON array')
    .option('--function <name>', 'list what a fault of your own can change in this function')
    .option('--file <file>', 'of the machine of this scenario; else of one that does little')
    .action((options: Options) => {
      if (options.function !== undefined) {
        process.exitCode = listPoints(options.function, options.file);
        return;
      }
      const all = variants.map((variant) => ({
        ...variant,
        presets: Object.entries(presets).flatMap(([name, ids]) =>
          (ids as readonly string[]).includes(variant.id) ? [name] : [],
        ),
      }));
      if (options.json === true) {
        console.log(JSON.stringify(all, undefined, 2));
        return;
      }
      for (const v of all) {
        console.log(`${v.id}${v.presets.length > 0 ? ` (in ${v.presets.join(', ')})` : ''}`);
        console.log(`  ${v.sentence}\n  source: ${v.source}\n  releases: ${v.releases}\n`);
      }
      for (const { id, sentence } of deviationForms) console.log(`${id}\n  ${sentence}\n`);
      for (const { id, sentence, members } of groups)
        console.log(`${id} (stands for ${members.join(', ')})\n  ${sentence}\n`);
    });
}

interface Options {
  readonly json?: boolean;
  readonly function?: string;
  readonly file?: string;
}

const little = `scenario "a machine"
surface s: buffer 1 page coherent
process app {
  let p = map s
  thread t on cpu0 {
    write p[0] = 1
    submit { draw reads s } as done
    wait done
  }
}`;

/** Prints what can be changed of a function; what is in the way of that as one line. Returns the exit code. */
function listPoints(name: string, file: string | undefined): number {
  const read = file === undefined ? { text: little } : readScenario(file);
  const refuse = (problem: string): number => {
    console.error(problem);
    return BAD_INPUT;
  };
  if ('problem' in read) return refuse(read.problem);
  const { scenarios } = check(read.text, known, file === undefined ? {} : { files: filesOf(file) });
  const program = scenarios[0]?.program();
  if (program === undefined)
    return refuse(`${file}: there is no scenario without mistakes; \`coherence check\` tells them`);
  const lines = pointLines(program, name);
  if (lines !== undefined) console.log(lines.join('\n'));
  else
    return refuse(
      `this machine has no function \`${name}\`${didYouMean(name, program.names()) || '; with --file it is the machine of a scenario that needs it'}`,
    );
  return HOLDS;
}
