/** Where the modelled functions stand in C. */
export const MD = "drivers/md/md.c";
export const BLOCK_DEV = "fs/block_dev.c";
export const GENHD = "block/genhd.c";
