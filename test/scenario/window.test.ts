// The window of MKWRITE that the driver leaves open: mkwrite notes the page under the reservation, the entry becomes
// writable after it. Whoever submits between the two takes the note away, and the store that follows is lost (Linux 5.1
// with the series and 6.1: vmw_bo_vm_mkwrite() before finish_mkwrite_fault()).
import { expect, test } from 'vitest';
import { Timeline } from '../../src/timeline/timeline';
import { load } from './outcome';
import { windowOfMkwrite } from './window';

test.each(['series-v2', 'linux-6.1'])(
  'on %s, a submission between mkwrite and the entry loses the store, and the cause says so',
  (kernel) => {
    const { run } = load(windowOfMkwrite, { kernel });
    const { engine } = run;
    const timeline = new Timeline(engine);
    const [, writer, other] = [0, 1, 2].map((task) => engine.agentOfTask(task));
    const has = (name: string) => engine.events.slice().some((e) => e.name === name);
    /** Goes on without the agent `waits` until `until` holds. */
    const without = (waits: number, until: () => boolean) => {
      while (!until()) {
        const agent = Array.from({ length: engine.agents }, (_, a) => a).find(
          (a) => a !== waits && engine.runnable(a),
        );
        timeline.stepForward({ agent: agent!, branch: 0 });
      }
    };
    const inMkwrite = () =>
      engine.stack(1).some((f) => f.code.routine.name === 'vmw_bo_vm_mkwrite');
    without(other!, () => has('vmw_mkwrite') && !inMkwrite());
    without(writer!, () => engine.isFinished(2));
    expect(timeline.run(() => undefined, 100_000)).toBe('end');
    const [problem, ...more] = run.problems(true);
    expect(more).toEqual([]);
    expect(problem?.message).toBe(
      'the GPU read 0 instead of 7, which the CPU had stored before: page 0 of a, from byte 0 on',
    );
    expect(problem?.cause.map((line) => line.replace(/^event \d+, step \d+, /, ''))).toEqual([
      'writer: vmw_bo_vm_mkwrite set bit 0 of the bitmap',
      'other: bit 0 was cleared again, its page sent, before the store that it stood for',
      'writer: the store that was lost',
      'writer: the scan found 0 PTEs and noted no page',
      'gpu: the read that got the old byte',
    ]);
  },
);
