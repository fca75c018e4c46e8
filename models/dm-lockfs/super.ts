/** fs/super.c of 2.6: finding a superblock, mounting and unmounting. The variant `before`: no bd_mount_sem. */
import {
  alloc,
  atomic_dec_and_lock,
  atomic_set,
  atomically,
  dec,
  down,
  down_read,
  down_write,
  Forever,
  fn,
  If,
  inc,
  kfree,
  list_add_tail,
  list_del,
  local,
  NULL,
  pause,
  ptr,
  Return,
  read,
  spin_lock,
  spin_unlock,
  up,
  up_read,
  up_write,
  write,
} from "lockstep";
import { bdget, bdput, fsync_super, superblock_io } from "./block-dev.ts";
import { block_device, device, S_BIAS, sb_lock, super_block, super_blocks, until_resumed } from "./objects.ts";

export const SUPER = "fs/super.c";
const of_super = { s: ptr(super_block) };

export const put_super = fn("put_super", { at: SUPER, params: of_super }, ({ s }) => {
  spin_lock(sb_lock);
  const s_count = dec(s.s_count, { under: sb_lock });
  // destroy_super()
  If(s_count.eq(0), () => kfree(s));
  spin_unlock(sb_lock);
});

export const drop_super = fn("drop_super", { at: SUPER, params: of_super }, ({ s }) => {
  up_read(s.s_umount);
  put_super({ s });
});

/** The superblock of a device, with a reference and s_umount held for reading; or NULL. */
export const get_super = fn(
  "get_super",
  { at: SUPER, params: { bdev: ptr(block_device) }, returns: ptr(super_block) },
  ({ bdev }) => {
    const s = local("s", ptr(super_block), NULL);
    // rescan:
    Forever(() => {
      spin_lock(sb_lock);
      // Nobody can look at the list in between: sb_lock is held. There is one superblock at most.
      atomically("list_for_each(p, &super_blocks): s->s_count++", () => {
        const first = super_blocks.first;
        s.set(NULL);
        If(first.ne(NULL), () => {
          If(first.s_bdev.now.eq(bdev), () => {
            s.set(first);
            inc(s.value.s_count, { under: sb_lock });
          });
        });
      });
      spin_unlock(sb_lock);
      If(s.value.eq(NULL), () => Return(NULL));
      down_read(s.value.s_umount);
      const s_root = read(s.value.s_root, { under: s.value.s_umount.reading });
      If(s_root, () => Return(s.value));
      drop_super({ s: s.value });
    });
  },
);

/**
 * No superblock of the device is there: a new one, visible from now on, with s_umount held for writing. The first
 * look at the list, before the allocation, finds nothing either.
 */
export const sget = fn(
  "sget",
  { at: SUPER, params: { bdev: ptr(block_device) }, returns: ptr(super_block) },
  ({ bdev }) => {
    // alloc_super(): nobody else can know it yet
    const s = alloc(super_block, { call: "alloc_super()" });
    down_write(s.s_umount);
    spin_lock(sb_lock);
    atomically("set_bdev_super(s, bdev); list_add_tail(&s->s_list, &super_blocks)", () => {
      write(s.s_count, S_BIAS, { under: sb_lock });
      atomic_set(s.s_active, 1);
      write(s.s_bdev, bdev);
      list_add_tail(s, super_blocks, { under: sb_lock });
    });
    spin_unlock(sb_lock);
    Return(s);
  },
);

/** Reads the superblock off the device. The other disk is nobody's here and answers at once. */
export const fill_super = fn(
  "fill_super",
  { at: "fs/ext3/super.c", params: { s: ptr(super_block), bdev: ptr(block_device) } },
  ({ s, bdev }) => {
    const dev = read(bdev.bd_dev);
    If(
      dev.eq("dm-0"),
      () => superblock_io(),
      () => pause("sb_bread(sb, 1)"),
    );
    write(s.s_root, true, { under: s.s_umount });
  },
);

/** Mounting: open_bdev_excl(), then what is here; up_write() is do_kern_mount()'s. Nobody else claims the device. */
export const get_sb_bdev = fn("get_sb_bdev", { at: SUPER, params: { dev: device } }, ({ dev }) => {
  const bdev = bdget({ dev });
  const s = sget({ bdev });
  fill_super({ s, bdev });
  up_write(s.s_umount);
});

export const generic_shutdown_super = fn(
  "generic_shutdown_super",
  { at: SUPER, params: { s: ptr(super_block), bdev: ptr(block_device) } },
  ({ s, bdev }) => {
    write(s.s_root, false, { under: s.s_umount });
    fsync_super({ s, bdev });
    // lock_super(sb)
    down(s.s_lock);
    // sop->put_super(sb): the file system writes that it is clean
    superblock_io();
    up(s.s_lock);
    spin_lock(sb_lock);
    list_del(s, super_blocks, { under: sb_lock });
    spin_unlock(sb_lock);
    up_write(s.s_umount);
  },
);

export const kill_block_super = fn("kill_block_super", { at: SUPER, params: of_super }, ({ s }) => {
  const bdev = read(s.s_bdev);
  generic_shutdown_super({ s, bdev });
  // close_bdev_excl(bdev)
  bdput({ bdev });
});

/** umount: drops the last active reference. */
export const deactivate_super = fn("deactivate_super", { at: SUPER, params: of_super }, ({ s }) => {
  const last = atomic_dec_and_lock(s.s_active, sb_lock);
  If(last, () => {
    dec(s.s_count, { under: sb_lock, by: S_BIAS - 1 });
    spin_unlock(sb_lock);
    down_write(s.s_umount, { resting: until_resumed });
    kill_block_super({ s });
    put_super({ s });
  });
});
