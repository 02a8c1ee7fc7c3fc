// lib/usercopy.c (Linux 6.1): the kernel's own loads and stores of user memory, as read(2) and write(2) make them. A fault
// that cannot be served ends the copy without a signal: the exception table's way out. A copy stops at the beginning of a
// page, never within one. Left out: the kernel's buffer, whose bytes are those of the store.
import { load, store } from '../../hardware/cpu';
import { PAGE_SIZE } from '../../hardware/pte';
import { type AnyBuilder, type Node, routine } from '../../routine/routine';
import { bool, int, long } from '../../state/layout';

const file = 'lib/usercopy.c';

interface Copy {
  to: number;
  n: number;
  failed: number;
}

const chunk = ({ to, n }: Copy): number => Math.min(n, PAGE_SIZE - (to % PAGE_SIZE));

/** Page by page, until one fails. Leaves in `n` the bytes that were not copied. */
const pages = ({ step, when, loop, leave }: AnyBuilder, access: Node): Node =>
  loop('while (n)', [
    when('!n', (f: Copy) => f.n <= 0, [leave()]),
    access,
    when('it faulted', (f: Copy) => f.failed !== 0, [leave()]),
    step('to += copied; n -= copied', (f: Copy) => {
      const done = chunk(f);
      f.to += done;
      f.n -= done;
    }),
  ]);

/** What read(2) does: the kernel stores into user memory. Returns the number of bytes that were not copied. */
export const copy_to_user = routine(
  file,
  '_copy_to_user',
  {
    args: { to: long, n: long, unique: bool, value: int },
    locals: { failed: int },
    returns: long,
  },
  (b) => [
    pages(
      b as AnyBuilder,
      b.call(
        store,
        (f) => ({
          address: f.to,
          length: chunk(f),
          user: false,
          unique: f.unique,
          value: f.value,
        }),
        'failed',
      ),
    ),
    b.ret('n', (f) => f.n),
  ],
);

/** What write(2) does: the kernel loads from user memory. Returns the number of bytes that were not copied. */
export const copy_from_user = routine(
  file,
  '_copy_from_user',
  { args: { to: long, n: long }, locals: { failed: int }, returns: long },
  (b) => [
    pages(
      b as AnyBuilder,
      b.call(load, (f) => ({ address: f.to, length: chunk(f), user: false }), 'failed'),
    ),
    b.ret('n', (f) => f.n),
  ],
);
