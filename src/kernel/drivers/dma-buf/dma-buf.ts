// drivers/dma-buf/dma-buf.c (Linux 6.0 and later, as far as fences go): what guards a shared buffer goes out as a sync
// file, and a sync file becomes something that guards it. So programs that name their fences and those that leave it to
// the kernel work together.
import { routine } from '../../../routine/routine';
import { int, isNull, ref, type Structs } from '../../../state/layout';
import { EINVAL, ENOMEM } from '../../include/linux/errno';
import { dma_fence_is_signaled, dma_fence_put } from './dma-fence';
import { addMember, dma_fence_array_create } from './dma-fence-array';
import { asking, dma_resv_add_shared_fence, eachFence } from './dma-resv';
import { sync_file_create, sync_file_get_fence, sync_file_install } from './sync_file';

const file = 'drivers/dma-buf/dma-buf.c';
const resv = { resv: ref('dma_resv') };

type Fence = Structs['dma_fence'];
interface Members {
  readonly array: Structs['dma_fence_array'];
  readonly first: Fence;
  readonly fence: Fence;
}

/**
 * DMA_BUF_IOCTL_EXPORT_SYNC_FILE: a sync file of all that guards the buffer, one fence or an array of them
 * (dma_resv_get_singleton()); its descriptor, 0 when nothing is left to wait for, or -ENOMEM.
 */
export const dma_buf_export_sync_file = routine(
  file,
  'dma_buf_export_sync_file',
  {
    args: resv,
    locals: {
      ...asking,
      first: ref('dma_fence'),
      array: ref('dma_fence_array'),
      sync_file: ref('sync_file'),
      fd: int,
    },
    returns: int,
  },
  (b) => {
    const put = (name: 'fence' | 'first') =>
      b.call(dma_fence_put, (f: Members) => ({ fence: f[name] }));
    const add = (name: 'fence' | 'first') =>
      b.call(addMember, (f: Members) => ({ fence: f[name], array: f.array }));
    return [
      eachFence(b, [
        b.call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'ret'),
        b.when(
          'ret',
          (f) => f.ret !== 0,
          [put('fence')],
          [
            b.when(
              'the first',
              (f) => isNull(f.first),
              [
                b.step('first = fence', (f) => {
                  f.first = f.fence;
                }),
              ],
              [
                b.when('!array', (f) => isNull(f.array), [
                  b.call(dma_fence_array_create, () => ({}), 'array'),
                  b.when('!array', (f) => isNull(f.array), [
                    put('fence'),
                    put('first'),
                    b.ret('-ENOMEM', () => -ENOMEM),
                  ]),
                  add('first'),
                ]),
                add('fence'),
                put('fence'),
              ],
            ),
          ],
        ),
      ]),
      b.when('no fence', (f) => isNull(f.first), [b.ret('dma_fence_get_stub()', () => 0)]),
      b.when('array', (f) => !isNull(f.array), [
        put('first'),
        b.step('fence = &array->base', (f) => {
          f.first = f.array.base;
        }),
      ]),
      b.call(sync_file_create, (f) => ({ fence: f.first }), 'sync_file'),
      put('first'),
      b.when('!sync_file', (f) => isNull(f.sync_file), [b.ret('-ENOMEM', () => -ENOMEM)]),
      b.call(sync_file_install, (f) => ({ sync_file: f.sync_file }), 'fd'),
      b.ret('fd', (f) => f.fd),
    ];
  },
);

/** DMA_BUF_IOCTL_IMPORT_SYNC_FILE with DMA_BUF_SYNC_READ: the fence guards the buffer, as that of a reader. 0 or -EINVAL. */
export const dma_buf_import_sync_file = routine(
  file,
  'dma_buf_import_sync_file',
  { args: { ...resv, fd: int }, locals: { fence: ref('dma_fence') }, returns: int },
  ({ call, acquire, release, when, ret }) => [
    call(sync_file_get_fence, (f) => ({ fd: f.fd }), 'fence'),
    when('!fence', (f) => isNull(f.fence), [ret('-EINVAL', () => -EINVAL)]),
    acquire('dma_resv_lock(dmabuf->resv, NULL)', (f) => f.resv.lock),
    call(dma_resv_add_shared_fence, (f) => ({ resv: f.resv, fence: f.fence })),
    release('dma_resv_unlock(dmabuf->resv)', (f) => f.resv.lock),
    call(dma_fence_put, (f) => ({ fence: f.fence })),
    ret('0', () => 0),
  ],
);
