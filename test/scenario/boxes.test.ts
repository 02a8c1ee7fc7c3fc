// The dirty boxes of a texture, as expressions see them while a submission is under way.
import { expect, test } from 'vitest';
import { outcome } from './outcome';

/** Stores to a page of level 0 (16 rows of 64 pixels) and to level 1, and submits. */
const scenario = (never: string): string => `scenario "boxes"
surface picture: texture rgba8 64 by 64 mips 7 coherent
process app {
  let p = map picture
  thread render on cpu0 {
    write p[1 page] = 7
    write level(p, 1) = 7
    submit { draw reads picture } as done
    wait done
  }
}
never ${never}`;

/** Whether it came to that at any step. */
const happens = (condition: string): boolean => outcome(scenario(condition)).verdict === 'violated';

test('each subresource has a box of its own, in pixels', () => {
  expect(happens('box(picture).dirty')).toBe(true);
  expect(happens('box(picture, 1).dirty')).toBe(true);
  expect(happens('box(picture, 2).dirty')).toBe(false);
  const place = (image: number, xyzwhd: readonly number[]) =>
    ['x', 'y', 'z', 'w', 'h', 'd'].map((f, i) => `box(picture, ${image}).${f} == ${xyzwhd[i]}`);
  expect(happens(place(0, [0, 16, 0, 64, 16, 1]).join(' and '))).toBe(true);
  expect(happens(place(1, [0, 0, 0, 32, 32, 1]).join(' and '))).toBe(true);
  expect(happens(place(1, [0, 16, 0, 64, 16, 1]).join(' and '))).toBe(false);
});
