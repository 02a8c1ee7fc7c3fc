// Documents with a marker: `|` is where the cursor stands.
import { type Checked, check } from '../../src/scenario/diagnostics';
import type { Known } from '../../src/scenario/known';

export const known: Known = {
  presets: { 'series-v2': [], 'linux-6.1': ['bz-01'] },
  alternatives: [['tracking-off', 'tracking-mkwrite']],
  variants: [
    { id: 'bz-01', sentence: 'A transfer swallows the neighbour.' },
    { id: 'bz-53', sentence: 'Every move zaps.' },
    { id: 'tracking-off', sentence: 'No tracker.' },
    { id: 'tracking-mkwrite', sentence: 'Trackers begin with write protection.' },
    { id: 'both', sentence: 'A group.', members: ['bz-01', 'bz-53'] },
  ],
};

export interface Marked {
  readonly checked: Checked;
  readonly offset: number;
}

export function marked(text: string): Marked {
  const offset = text.indexOf('|');
  if (offset < 0) throw new Error('no marker');
  return { checked: check(text.slice(0, offset) + text.slice(offset + 1), known), offset };
}

/** A scenario around the line, which stands in a thread. */
export function inThread(line: string): string {
  return `scenario "x"
machine { cpus 2 }
surface ring: buffer 96KiB coherent
process app {
  let p = map ring
  thread render on cpu0 {
    submit { draw reads ring } as done
    signal ready
    repeat 3 as frame {
      ${line}
    }
  }
}
`;
}
