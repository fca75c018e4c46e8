/** What must be true when everybody has closed and nothing is queued any more: no reference without a holder. */
import { atomically, Bool, fn, NULL, reached, replace, report, size, wait_until } from "lockstep";
import { MD } from "./files.ts";
import { all_mddevs, type Disk, gendisk, type Mddev, md_mod, mddev, unfinished } from "./objects.ts";
import { keventd, md_misc_wq } from "./v2.6.28.ts";

const always = () => new Bool({ e: "const", v: 1 });

/**
 * Looks at everything when it is at rest. An mddev is leaked when it has references that nobody holds, or when it is
 * neither on the list nor going to be deleted; a disk when no mddev has it.
 */
function audit_body(idle: () => Bool, too_many: (m: Mddev) => Bool): () => void {
  return () => {
    wait_until("everybody has closed, the queue is empty", () => unfinished.now.eq(0).and(idle()), { resting: always });
    atomically("at rest", () => {
      report(
        "leak",
        "an mddev is left that nobody can reach, or with a reference that nobody holds",
        some((i) => {
          const m = mddev.pointer({ e: "const", v: i });
          return alive("mddev", m).and(too_many(m).or(all_mddevs.now.ne(m)));
        }),
      );
      report(
        "leak",
        "a disk is left that nobody can reach, or with a reference that nobody holds",
        some((i) => {
          const disk = gendisk.pointer({ e: "const", v: i });
          const of = disk.private_data.now;
          const lost = alive("mddev", of).not().or(of.gendisk.now.ne(disk)).or(disk.ref.now.ne(1));
          return alive("gendisk", disk).and(lost);
        }),
      );
      report("leak", "the module has a reference that nobody holds", md_mod.references.ne(0));
      reached("at-rest");
    });
  };
}

function some(condition: (slot: number) => Bool): Bool {
  return Array.from({ length: size("generations") }, (_, i) => condition(i + 1)).reduce((a, b) => a.or(b));
}

function alive(pool: string, p: Mddev | Disk): Bool {
  return new Bool({ e: "alive", pool, ptr: p.use() });
}

/** Before the patch the disk has a reference to its mddev: the one that mddev_find() took in md_probe(). */
export const audit = fn(
  "audit",
  { at: MD },
  audit_body(
    () => keventd.idle,
    (m) => m.active.now.gt(1).or(m.gendisk.now.eq(NULL).and(m.active.now.ne(0))),
  ),
);

export const no_references_at_rest = replace(
  audit,
  audit_body(
    () => keventd.idle,
    (m) => m.active.now.ne(0),
  ),
);

export const no_references_at_rest_in_md_misc_wq = replace(
  audit,
  audit_body(
    () => md_misc_wq.idle,
    (m) => m.active.now.ne(0),
  ),
);

/** One that is to be deleted is on the list until it is freed. */
export const nothing_deleted_at_rest = replace(
  audit,
  audit_body(
    () => md_misc_wq.idle,
    (m) => m.active.now.ne(0).or(m.deleted.now),
  ),
);
