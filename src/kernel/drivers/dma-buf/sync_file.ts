// drivers/dma-buf/sync_file.c: fences as files. Linux 5.1. Who polls one asks its fence for the signal and does nothing
// else for it. Left out: merging, names.
import type { Engine } from '../../../routine/engine';
import { routine } from '../../../routine/routine';
import { int, isNull, NULL, ref, type Structs } from '../../../state/layout';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../../include/linux/dma-fence';
import { EINVAL, ENOMEM, ERESTARTSYS } from '../../include/linux/errno';
import { POLL_ENABLED } from '../../include/linux/sync_file';
import {
  dma_fence_add_callback,
  dma_fence_get,
  dma_fence_is_signaled,
  dma_fence_put,
  dma_fence_remove_callback,
} from './dma-fence';

const file = 'drivers/dma-buf/sync_file.c';
const onFile = { sync_file: ref('sync_file') };
const onFd = { args: { fd: int }, locals: { ...onFile, ret: int }, returns: int } as const;

const fds = (k: Engine): Structs['fdtable'] => k.the('sync_files', 'fdtable');

/** The lowest free descriptor, now naming the file; -EMFILE is -ENOMEM here. The table's lock is held. */
function fd_install(table: Structs['fdtable'], file: Structs['sync_file']): number {
  for (let i = 0; i < table.size; i++) {
    if (!isNull(table.fd.get(i))) continue;
    table.fd.set(i, file);
    return i + 1;
  }
  return -ENOMEM;
}

/** The file behind a descriptor, or NULL. The table's lock is held. */
const files_lookup_fd = (k: Engine, fd: number): Structs['sync_file'] => {
  const table = fds(k);
  return fd < 1 || fd > table.size ? NULL : table.fd.get(fd - 1);
};

/** As `files_lookup_fd`, with a reference. */
const fget = routine(
  'fs/file.c',
  'fget',
  { args: { fd: int }, locals: onFile, returns: ref('sync_file') },
  ({ step, atomic, acquire, release, when, ret }) => [
    acquire('spin_lock(&files->file_lock)', (_f, k) => fds(k).lock),
    step('file = files->fd[fd]', (f, k) => {
      f.sync_file = files_lookup_fd(k, f.fd);
    }),
    when('file', (f) => !isNull(f.sync_file), [
      atomic('atomic_long_inc(&file->f_count)', (f) => {
        f.sync_file.f_count++;
      }),
    ]),
    release('spin_unlock(&files->file_lock)', (_f, k) => fds(k).lock),
    ret('file', (f) => f.sync_file),
  ],
);

/** Drops a reference to a file; the last one closes it. */
const fput = routine(
  'fs/file_table.c',
  'fput',
  { args: onFile, locals: { left: int } },
  ({ atomic, call, when }) => [
    atomic('left = atomic_long_dec_return(&file->f_count)', (f) => {
      f.sync_file.f_count--;
      f.left = f.sync_file.f_count;
    }),
    when('!left', (f) => f.left === 0, [
      call(sync_file_release, (f) => ({ sync_file: f.sync_file })),
    ]),
  ],
);

/** A file for a fence, with a reference of its own; NULL without memory. */
export const sync_file_create = routine(
  file,
  'sync_file_create',
  { args: { fence: ref('dma_fence') }, locals: onFile, returns: ref('sync_file') },
  ({ step, fallible, call, when, ret }) => [
    fallible(
      'sync_file_create',
      step('sync_file = kzalloc(sizeof(*sync_file)); anon_inode_getfile(...)', (f, k) => {
        f.sync_file = k.alloc('sync_file');
        if (isNull(f.sync_file)) return;
        f.sync_file.fence = f.fence;
        f.sync_file.f_count = 1;
        f.sync_file.cb.func = k.fn(fence_check_cb_func);
      }),
    ),
    when('!sync_file', (f) => isNull(f.sync_file), [ret('NULL', (f) => f.sync_file)]),
    call(dma_fence_get, (f) => ({ fence: f.fence })),
    ret('sync_file', (f) => f.sync_file),
  ],
);

/** Gives a file a descriptor; without one left the file goes, and -ENOMEM. */
export const sync_file_install = routine(
  file,
  'sync_file_install',
  { args: onFile, locals: { fd: int }, returns: int },
  ({ step, fallible, acquire, release, call, when, ret }) => [
    acquire('spin_lock(&files->file_lock)', (_f, k) => fds(k).lock),
    fallible(
      'get_unused_fd_flags',
      step('fd = get_unused_fd_flags(O_CLOEXEC); fd_install(fd, sync_file->file)', (f, k) => {
        f.fd = fd_install(fds(k), f.sync_file);
      }),
      (f) => {
        f.fd = -ENOMEM;
      },
    ),
    release('spin_unlock(&files->file_lock)', (_f, k) => fds(k).lock),
    when('fd < 0', (f) => f.fd < 0, [call(fput, (f) => ({ sync_file: f.sync_file }))]),
    ret('fd', (f) => f.fd),
  ],
);

/** The fence has been signalled: who sleeps in poll(2) looks again. */
export const fence_check_cb_func = routine(
  file,
  'fence_check_cb_func',
  { args: { fence: ref('dma_fence'), cb: ref('dma_fence_cb') } },
  ({ step }) => [step('wake_up_all(&sync_file->wq)', () => undefined)],
);

/** `fops->release`. */
export const sync_file_release = routine(
  file,
  'sync_file_release',
  { args: onFile, locals: { fence: ref('dma_fence'), flags: int, ret: int } },
  ({ step, call, when }) => [
    step('flags = sync_file->flags', (f) => {
      f.fence = f.sync_file.fence;
      f.flags = f.sync_file.flags;
    }),
    when('flags & POLL_ENABLED', (f) => (f.flags & POLL_ENABLED) !== 0, [
      call(dma_fence_remove_callback, (f) => ({ fence: f.fence, cb: f.sync_file.cb }), 'ret'),
    ]),
    step('kfree(sync_file)', (f, k) => {
      const { sync_file } = f;
      f.sync_file = NULL;
      k.free(sync_file);
    }),
    call(dma_fence_put, (f) => ({ fence: f.fence })),
  ],
);

/** `fops->poll`: 1 when the fence is signalled, else 0; the first one asks for the signal. */
const sync_file_poll = routine(
  file,
  'sync_file_poll',
  { args: onFile, locals: { flags: int, ret: int }, returns: int },
  ({ atomic, call, when, ret }) => [
    atomic('flags = test_and_set_bit(POLL_ENABLED, &sync_file->flags)', (f) => {
      f.flags = f.sync_file.flags;
      f.sync_file.flags |= POLL_ENABLED;
    }),
    when('!(flags & POLL_ENABLED)', (f) => (f.flags & POLL_ENABLED) === 0, [
      call(
        dma_fence_add_callback,
        (f) => ({ fence: f.sync_file.fence, cb: f.sync_file.cb }),
        'ret',
      ),
    ]),
    call(dma_fence_is_signaled, (f) => ({ fence: f.sync_file.fence }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

const noFile = (f: { sync_file: Structs['sync_file'] }) => isNull(f.sync_file);

/** poll(2) on a sync file without an end: 0, -ERESTARTSYS, or -EINVAL for a descriptor that names nothing. */
export const do_poll = routine('fs/select.c', 'do_poll', onFd, ({ call, wait, when, ret }) => {
  const drop = call(fput, (f: { sync_file: Structs['sync_file'] }) => ({ sync_file: f.sync_file }));
  return [
    call(fget, (f) => ({ fd: f.fd }), 'sync_file'),
    when('!file', noFile, [ret('-EINVAL', () => -EINVAL)]),
    call(sync_file_poll, (f) => ({ sync_file: f.sync_file }), 'ret'),
    when('ret', (f) => f.ret !== 0, [drop, ret('0', () => 0)]),
    wait(
      'poll_schedule_timeout(&table, TASK_INTERRUPTIBLE, to, slack)',
      (f) => (f.sync_file.fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0,
      { interruptible: true, into: 'ret' },
    ),
    drop,
    when('signal_pending(current)', (f) => f.ret !== 0, [ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
    ret('0', () => 0),
  ];
});

/** SYNC_IOC_FILE_INFO: 1 when the fence is signalled, 0, or -EINVAL. It only looks: nobody asks for the signal. */
export const sync_file_ioctl_fence_info = routine(
  file,
  'sync_file_ioctl_fence_info',
  onFd,
  ({ call, when, ret }) => [
    call(fget, (f) => ({ fd: f.fd }), 'sync_file'),
    when('!sync_file', noFile, [ret('-EINVAL', () => -EINVAL)]),
    call(dma_fence_is_signaled, (f) => ({ fence: f.sync_file.fence }), 'ret'),
    call(fput, (f) => ({ sync_file: f.sync_file })),
    ret('dma_fence_get_status(sync_file->fence)', (f) => f.ret),
  ],
);

/** The fence behind a descriptor, with a reference; NULL when it names nothing. */
export const sync_file_get_fence = routine(
  file,
  'sync_file_get_fence',
  { args: { fd: int }, locals: { ...onFile, fence: ref('dma_fence') }, returns: ref('dma_fence') },
  ({ step, call, when, ret }) => [
    call(fget, (f) => ({ fd: f.fd }), 'sync_file'),
    when('sync_file', (f) => !isNull(f.sync_file), [
      step('fence = sync_file->fence', (f) => {
        f.fence = f.sync_file.fence;
      }),
      call(dma_fence_get, (f) => ({ fence: f.fence })),
      call(fput, (f) => ({ sync_file: f.sync_file })),
    ]),
    ret('fence', (f) => f.fence),
  ],
);

/** close(2) of a sync file: 0, or -EINVAL. */
export const close_fd = routine(
  'fs/file.c',
  'close_fd',
  onFd,
  ({ step, call, acquire, release, when, ret }) => [
    acquire('spin_lock(&files->file_lock)', (_f, k) => fds(k).lock),
    step('file = files->fd[fd]; files->fd[fd] = NULL', (f, k) => {
      f.sync_file = files_lookup_fd(k, f.fd);
      if (!noFile(f)) fds(k).fd.set(f.fd - 1, NULL);
    }),
    release('spin_unlock(&files->file_lock)', (_f, k) => fds(k).lock),
    when('!file', noFile, [ret('-EINVAL', () => -EINVAL)]),
    call(fput, (f) => ({ sync_file: f.sync_file })),
    ret('0', () => 0),
  ],
);
