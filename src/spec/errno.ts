/** Error numbers of include/uapi/asm-generic/errno-base.h (and linux/errno.h) that block-layer code returns. */
export const ERRNOS = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EROFS: 30,
  ERESTARTSYS: 512,
  /** Not a number of the kernel's: an EBUSY that means "somebody held the lock I tried". */
  EBUSY_CONTENDED: 10016,
} as const;

export const {
  EPERM,
  ENOENT,
  EINTR,
  EIO,
  ENXIO,
  EAGAIN,
  ENOMEM,
  EACCES,
  EBUSY,
  EEXIST,
  ENODEV,
  EINVAL,
  EROFS,
  ERESTARTSYS,
  EBUSY_CONTENDED,
} = ERRNOS;

const NAMES = Object.keys(ERRNOS) as (keyof typeof ERRNOS)[];

/** Labels of the errno domain: index 0 is success. Sixteen of them, so that a return code takes four bits. */
export const ERRNO_LABELS: readonly string[] = [
  "0",
  ...NAMES.map((name) => (name === "EBUSY_CONTENDED" ? "-EBUSY (contention)" : `-${name}`)),
];

/** The index of 0 or a negated error number in the domain; undefined for any other number. */
export function errnoIndex(code: number): number | undefined {
  if (code === 0) return 0;
  const index = NAMES.findIndex((name) => ERRNOS[name] === -code);
  return index < 0 ? undefined : index + 1;
}
