// include/uapi/asm-generic/errno-base.h: error numbers, as routines return them negated.
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const EINVAL = 22;
export const ENOSPC = 28;
export const EDEADLK = 35;
export const EALREADY = 114;
export const ERESTARTSYS = 512; // include/linux/errno.h: never seen by user space

const names: Readonly<Record<number, string>> = {
  [EPERM]: 'EPERM',
  [ENOENT]: 'ENOENT',
  [ESRCH]: 'ESRCH',
  [EINTR]: 'EINTR',
  [EIO]: 'EIO',
  [EAGAIN]: 'EAGAIN',
  [ENOMEM]: 'ENOMEM',
  [EACCES]: 'EACCES',
  [EFAULT]: 'EFAULT',
  [EBUSY]: 'EBUSY',
  [EEXIST]: 'EEXIST',
  [EINVAL]: 'EINVAL',
  [ENOSPC]: 'ENOSPC',
  [EDEADLK]: 'EDEADLK',
  [EALREADY]: 'EALREADY',
  [ERESTARTSYS]: 'ERESTARTSYS',
};

/** A negated error number by its name, for messages. */
export const errnoName = (ret: number): string => `-${names[-ret] ?? -ret}`;
