// A WARN_ON of the emulated kernel makes a run `violated`: told with its reason, the statement and the task.
import { expect, test } from 'vitest';
import { vmw_bo_dirty_scan } from '../../src/kernel/drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty';
import { WARN_RES_RANGE, warn } from '../../src/kernel/include/asm-generic/bug';
import type { Node, Routine } from '../../src/routine/routine';
import { mutated } from '../conform/mutations';
import { outcome } from './outcome';

const scenario = `scenario "one page"
surface ring: buffer 1 page coherent
process app {
  let p = map ring
  thread render on cpu0 {
    write p[0] = 1
    submit { draw reads ring } as done
    wait done
  }
}`;

const warns: Node = {
  kind: 'step',
  text: 'WARN',
  manner: 'plain',
  run: (_f, k) => k.emit(warn, { where: WARN_RES_RANGE }),
};
const scanThatWarns = {
  what: 'a scan warns',
  preset: 'series-v2',
  routine: vmw_bo_dirty_scan as unknown as Routine,
  at: 'method = vbo->dirty->method',
  change: (step: Node): Node => [step, warns],
  noticed: 'the verdict',
} as const;

test('a warning makes the verdict violated and says what it means; without it the scenario holds', () => {
  expect(outcome(scenario)).toMatchObject({ verdict: 'holds', problems: [] });
  const { verdict, problems } = mutated(scanThatWarns, () => outcome(scenario));
  expect(verdict).toBe('violated');
  expect(problems).toEqual([
    'warn: vmw_surface_dirty_range_add() was told of a dirty range that lies outside of the resource: the range is dropped.',
  ]);
});
