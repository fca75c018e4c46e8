import {
  __module_get,
  ENODEV,
  free_module,
  global,
  If,
  initially,
  kfree,
  memorySafety,
  module,
  module_code,
  module_put,
  mutex,
  mutex_lock,
  mutex_unlock,
  noFinding,
  pause,
  report,
  struct,
  sysfs_create,
  sysfs_get_active,
  sysfs_node,
  sysfs_put_active,
  sysfs_remove,
  thread,
  try_module_get,
  try_stop_module,
} from "../../../src/index.ts";
import { complaint, type Small, USUAL, verdicts } from "./small-protocol.ts";

const seen = (kind: string) => noFinding(kind, kind, { title: kind, message: kind });
const safety = { ...memorySafety, trigger: { marks: [], what: "" } };
const alone = (body: () => void): string =>
  verdicts({ threads: () => [thread("t", body)], properties: [safety] })["memory-safety"]!;

describe("sysfs", () => {
  const mddev = struct("mddev", { slots: 1, as: "mddev" }, { attr: sysfs_node() });
  const md = mddev.object("md0");
  const node = global("node", sysfs_node());
  const store = (inside: () => void) => () => {
    const rc = sysfs_get_active(md.attr);
    If(rc.ok(), () => {
      inside();
      sysfs_put_active(md.attr);
    });
    report("enodev", "no such device", rc.eq(-ENODEV));
  };

  test("removal waits for who is inside and refuses who comes", () => {
    const small = (inside: () => void): Small => ({
      threads: () => [thread("store", store(inside)), thread("rm", () => sysfs_remove(md.attr))],
      properties: [...USUAL, seen("enodev")],
    });
    expect(verdicts(small(() => pause("inside")))).toMatchObject({ deadlock: "holds", enodev: "enodev" });
    expect(verdicts(small(() => sysfs_remove(md.attr))).deadlock).toMatch(/deadlock/);
  });

  test("after removal nobody is inside, so the object can go", () => {
    const rm = () => {
      sysfs_remove(node);
      kfree(md);
    };
    const user = () => {
      const rc = sysfs_get_active(node);
      If(rc.ok(), () => {
        const inner = sysfs_get_active(md.attr);
        If(inner.ok(), () => sysfs_put_active(md.attr));
        sysfs_put_active(node);
      });
    };
    expect(verdicts({ threads: () => [thread("rm", rm), thread("user", user)] })).toMatchObject({
      "memory-safety": "holds",
      deadlock: "holds",
    });
    // Without the wait it can not.
    expect(verdicts({ threads: () => [thread("rm", () => kfree(md)), thread("user", user)] })["memory-safety"]).toBe(
      "use-after-free",
    );
  });

  test("acts like a lock: against a mutex", () => {
    const m = global("m", mutex());
    const user = store(() => {
      mutex_lock(m);
      mutex_unlock(m);
    });
    const rm = () => {
      mutex_lock(m);
      sysfs_remove(md.attr);
      mutex_unlock(m);
    };
    expect(verdicts({ threads: () => [thread("user", user), thread("rm", rm)] }).deadlock).toBe("deadlock");
  });

  test("what does not exist", () => {
    const absent = global("absent", sysfs_node({ exists: false }));
    const write = () => {
      const rc = sysfs_get_active(absent);
      report("enodev", "no such device", rc.eq(-ENODEV));
      If(rc.ok(), () => sysfs_put_active(absent));
    };
    const small = (body: () => void): Small => ({ threads: () => [thread("t", body)], properties: [seen("enodev")] });
    expect(verdicts(small(write)).enodev).toBe("enodev");
    const created = () => {
      sysfs_create(absent);
      write();
    };
    expect(verdicts(small(created)).enodev).toBe("holds");
    expect(alone(() => sysfs_create(node))).toBe("bug-on");
    expect(alone(() => sysfs_put_active(node))).toBe("refcount-underflow");
    expect(complaint({ threads: () => [thread("t", () => void sysfs_get_active(node))] })).toMatch(/ignored/);
  });
});

describe("module", () => {
  const mod = global("md_mod", module(2));
  const rmmod = () => {
    const rc = try_stop_module(mod);
    If(rc.ok(), () => {
      module_code(mod);
      free_module(mod);
    });
    report("busy", "in use", rc.failed());
  };
  const user = (counted: boolean) => () => {
    if (!counted) {
      module_code(mod);
      module_code(mod);
      return;
    }
    const got = try_module_get(mod);
    If(got, () => {
      module_code(mod);
      module_put(mod);
    });
    report("refused", "refused", got.not());
  };
  const small = (counted: boolean): Small => ({
    threads: () => [thread("rmmod", rmmod), thread("user", user(counted))],
    properties: [safety, seen("busy"), seen("refused")],
  });

  test("a reference keeps the code; without one it may run after the end", () => {
    expect(verdicts(small(true))).toEqual({ "memory-safety": "holds", busy: "busy", refused: "refused" });
    expect(verdicts(small(false))["memory-safety"]).toBe("code-after-unload");
  });

  test("misuse", () => {
    expect(alone(() => module_put(mod))).toBe("refcount-underflow");
    expect(alone(() => __module_get(mod))).toBe("bug-on");
    expect(alone(() => free_module(mod))).toBe("bug-on");
    const held = (references: number): Small => ({
      threads: () => [
        thread("t", () => {
          __module_get(mod);
          module_put(mod);
          rmmod();
        }),
      ],
      start: () => initially(mod, references),
      properties: [seen("busy")],
    });
    expect(verdicts(held(1)).busy).toBe("busy");
    expect(complaint({ threads: () => [thread("t", () => void try_module_get(mod))] })).toMatch(/ignored/);
    expect(complaint({ threads: () => [thread("t", () => void try_stop_module(mod))] })).toMatch(/ignored/);
  });
});
