// `coherence variants`: every variant with its sentence, source, releases and the presets that have it.
import type { Command } from 'commander';
import { deviationForms, groups, presets, variants } from '../kernel/variants';

export function addVariants(program: Command): void {
  program
    .command('variants')
    .description('list the variants: differences between kernels, and faults')
    .option('--json', 'print one JSON array')
    .action((options: { readonly json?: boolean }) => {
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
