// Why a byte was lost: for every way to lose one that is known, the chain names the event that did it.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { RunOptions } from '../../src/scenario/load';
import { stepsMax } from '../../src/scenario/run';
import { Timeline } from '../../src/timeline/timeline';
import { load } from '../scenario/outcome';

/** The causes of the first violation, without numbers of events and steps. */
function cause(file: string, options: RunOptions): string[] {
  const { run, schedule } = load(readFileSync(`examples/${file}.coh`, 'utf8'), options);
  new Timeline(run.engine, schedule).run(() => undefined, stepsMax);
  const [first] = run.contract.violations();
  return first!.cause.map((line) => line.replace(/^event \d+, step \d+, /, ''));
}

const unmapped = 'the mapping was taken away, and with the entry its dirty bit';
const taken = 'the entry was taken out of the page table, and its dirty bit with it';
const moved = 'that was for a move of the buffer object';
const passedOver = 'mprotect changed what the page allows: a scan may pass it over';
const escaped =
  'mprotect changed what the page allows: an entry that is dirty may have become writable without the driver being asked';

test.each<[string, string, RunOptions, string[]]>([
  [
    'munmap',
    'address-space/partial-unmap',
    { scenario: 'a layer is unmapped' },
    [`render: ${unmapped}`],
  ],
  [
    'the end of a process',
    'address-space/fork',
    { scenario: 'a child that exits before the submission, tracked by dirty bits' },
    [`second: ${unmapped}`],
  ],
  [
    'swap',
    'pressure/swap',
    { scenario: 'swapped out before the first submission, tracked by dirty bits' },
    [`render: ${taken}`], // the move of the submission came later
  ],
  [
    'a move (bz-53)',
    'textures/array-layer',
    { with: ['bz-53'] },
    [`render: ${taken}`, `render: ${moved}`],
  ],
  [
    'a scan that passes a read-only mapping over',
    'address-space/mprotect-and-back',
    { scenario: 'a submission while the mapping is read-only' },
    [`render: ${passedOver}`],
  ],
  [
    'mprotect, which lets stores escape',
    'address-space/mprotect-escape',
    {},
    [`render: ${escaped}`, `render: ${escaped}`],
  ],
  [
    'a refusal of the device (bz-04)',
    'textures/array-layer',
    { with: ['bz-04'] },
    ['gpu: the device refused a command for the surface'],
  ],
  [
    'the same of a readback (bz-05)',
    'pressure/evict-gpu-dirty',
    { with: ['bz-05'] },
    [
      'render: a readback of the surface was sent',
      'gpu: the device refused a command for the surface',
    ],
  ],
  [
    'a readback that is not sent (bz-03)',
    'textures/generated-mips',
    { with: ['bz-03'] },
    ['no readback of the surface was sent after it'],
  ],
  [
    'a flush left out',
    '01-ring-buffer',
    { with: ['no-clean-flush'] },
    ['render: this scan had cleaned the dirty bit before the store'],
  ],
])('%s', (_title, file, options, sentences) => {
  const chain = cause(file, options);
  expect(chain.filter((line) => sentences.includes(line))).toEqual(sentences);
});
