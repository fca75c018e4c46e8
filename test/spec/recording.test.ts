import {
  atomically,
  Break,
  deadlock,
  EBUSY,
  errno,
  fn,
  Goto,
  global,
  If,
  inc,
  int,
  Label,
  local,
  lockDiscipline,
  ModelError,
  mutex,
  mutex_lock,
  mutex_trylock,
  mutex_unlock,
  NULL,
  observer,
  type Program,
  plain,
  protocol,
  ptr,
  Return,
  read,
  replace,
  size,
  struct,
  thread,
  vacuous,
  While,
  write,
} from "../../src/index.ts";

const m = global("m", mutex());
const n = global("n", plain(int(0, 3)));
const seen = global("seen", observer(int(0, 3)));
const dev = struct("dev", { slots: 2, as: "d" }, { lock: mutex(), count: plain(int(0, 3)) });
const first = global("first", plain(ptr(dev)));

/** Records one thread with this body. */
function record(body: () => void): Program {
  const p = protocol("p", {
    title: "p",
    source: "test",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties: [], threads: () => [thread("T", body)] }],
  });
  return p.record({ variant: "v", scenario: "s" })!;
}

/** The message of the ModelError that recording this body throws, and whether it points into this file. */
function complaint(body: () => void): string {
  try {
    record(body);
  } catch (e) {
    if (!(e instanceof ModelError)) throw e;
    expect(e.site?.file).toContain("recording.test");
    return e.message;
  }
  throw new Error("recorded without complaint");
}

const bodyOf = (body: () => void) => record(body).functions.T!.body;

describe("what is recorded", () => {
  test("statements stand in the order of the calls, with the kernel call as text", () => {
    const calls = bodyOf(() => {
      mutex_lock(m);
      write(n, 2);
      mutex_unlock(m);
    }).flatMap((s) => (s.s === "step" ? [s.call] : []));
    expect(calls).toEqual(["mutex_lock(&m)", "n = 2", "mutex_unlock(&m)"]);
  });

  test("every step knows the model's line", () => {
    const [a, b] = bodyOf(() => {
      read(n);
      read(n);
    });
    expect(a!.site.file).toContain("recording.test");
    expect(b!.site.line).toBe(a!.site.line + 1);
  });

  test("x++ is a load and a store; under a lock it is one step with a claim that is checked", () => {
    const steps = (body: () => void) => bodyOf(body).filter((s) => s.s === "step").length;
    expect(steps(() => void inc(n))).toBe(2);
    const claimed = bodyOf(() => void inc(n, { under: m }));
    expect(claimed.filter((s) => s.s === "step")).toHaveLength(1);
    expect(JSON.stringify(claimed)).toContain('"data-race"');
  });

  test("atomically is one step whatever it holds", () => {
    const body = bodyOf(() => {
      atomically("both", () => {
        const x = read(n);
        write(n, x.plus(1));
      });
    });
    expect(body.map((s) => s.s)).toEqual(["step"]);
  });

  test("the tree is plain data: it survives JSON", () => {
    const program = record(() => {
      const d = read(first);
      If(
        d.ne(NULL),
        () => {
          mutex_lock(d.lock);
          inc(d.count, { under: d.lock });
          mutex_unlock(d.lock);
        },
        () => Return(),
      );
    });
    expect(JSON.parse(JSON.stringify(program))).toEqual(program);
  });

  test("an access through a pointer checks that the object is alive first", () => {
    const [, step] = bodyOf(() => {
      const d = read(first);
      mutex_lock(d.lock);
    }).filter((s) => s.s === "step");
    expect(step!.s === "step" && step!.checks).toMatchObject([{ s: "deref", pool: "dev", what: "d->lock" }]);
  });

  test("a variant replaces a function wherever it is called and inherits the others", () => {
    const inner = fn("inner", { at: "a.c" }, () => write(n, 1));
    const outer = fn("outer", { at: "a.c" }, () => inner());
    const p = protocol("p", {
      title: "p",
      source: "test",
      variants: [
        { id: "old", title: "old" },
        { id: "new", title: "new", base: "old", replaces: [replace(inner, () => write(n, 2), { at: "patch" })] },
        { id: "newer", title: "newer", base: "new" },
      ],
      scenarios: [{ id: "s", title: "s", properties: [], threads: () => [thread("T", () => outer())] }],
    });
    const call = (variant: string) => {
      const [s] = p.record({ variant, scenario: "s" })!.functions.inner!.body;
      return s?.s === "step" ? s.call : undefined;
    };
    expect([call("old"), call("new"), call("newer")]).toEqual(["n = 1", "n = 2", "n = 2"]);
  });

  test("identical threads are numbered and share their class; sizes come from the scenario", () => {
    const p = protocol("p", {
      title: "p",
      source: "test",
      variants: [{ id: "v", title: "v" }],
      scenarios: [
        {
          id: "s",
          title: "s",
          sizes: { openers: { default: 2, min: 1, max: 4, what: "openers" } },
          properties: [],
          threads: () => [
            thread("udev", () => void read(n), { count: size("openers") }),
            thread("T1", () => void read(n)),
          ],
        },
      ],
    });
    const names = (sizes?: Record<string, number>) =>
      p.record({ variant: "v", scenario: "s", ...(sizes ? { sizes } : {}) })!.threads.map((t) => `${t.name} ${t.cls}`);
    expect(names()).toEqual(["udev#1 udev", "udev#2 udev", "T1 T1"]);
    expect(names({ openers: 1 })).toEqual(["udev udev", "T1 T1"]);
    expect(() => names({ openers: 5 })).toThrow("openers=5 is outside of 1..4");
  });

  test("a size that the scenario does not declare is an error, unless the model says what it is then", () => {
    const counting = (pages: () => number) =>
      protocol("p", {
        title: "p",
        source: "test",
        variants: [{ id: "v", title: "v" }],
        scenarios: [
          {
            id: "s",
            title: "s",
            sizes: { openers: { default: 2, min: 1, max: 4, what: "openers" } },
            properties: [],
            threads: () => [thread("T1", () => void read(n), { count: pages() })],
          },
        ],
      }).record({ variant: "v", scenario: "s" })!.threads.length;
    expect(() => counting(() => size("pages"))).toThrow("the scenario declares no size pages");
    expect(counting(() => size("pages", 3))).toBe(3);
    expect(counting(() => size("openers", 3))).toBe(2);
  });
});

describe("mistakes that types cannot see", () => {
  test("a plain if on a condition", () => {
    const message = complaint(() => {
      const x = read(n);
      if (x.eq(0)) return;
    });
    expect(message).toContain("did you write if instead of If");
  });

  test("&& between conditions", () => {
    const message = complaint(() => {
      const x = read(n);
      If(x.gt(0) && x.lt(2), () => {});
    });
    expect(message).toContain("&& instead of and()");
  });

  test("a comparison or arithmetic by JavaScript", () => {
    expect(complaint(() => void (`${read(n)}` === "0"))).toContain("x.eq(y)");
  });

  test("the result of a trylock ignored", () => {
    expect(complaint(() => void mutex_trylock(m))).toContain("mutex_trylock is ignored");
  });

  test("an async body", () => {
    // biome-ignore lint/nursery/noMisusedPromises: the mistake under test
    expect(complaint(async () => {})).toContain("returned something");
    expect(
      complaint(() => {
        // biome-ignore lint/nursery/noMisusedPromises: the mistake under test
        If(read(n).eq(0), async () => {});
      }),
    ).toContain("must not be async");
  });

  test("a value computed from a local before the local was assigned again", () => {
    const message = complaint(() => {
      const retry = local("retry", int(0, 3), 3);
      const left = retry.value.gt(0);
      retry.set(0);
      If(left, () => {});
    });
    expect(message).toContain("before retry was assigned again");
  });

  test("shared state looked at outside of a step", () => {
    expect(
      complaint(() => {
        If(n.now.eq(0), () => {});
      }),
    ).toContain("const x = read(n)");
    bodyOf(() => If(seen.now.eq(0), () => {})); // an observer may be
  });

  test("a blocking call inside atomically", () => {
    expect(complaint(() => atomically("both", () => mutex_lock(m)))).toContain("mutex_lock(&m) is a step of its own");
  });

  test("a return value where none is declared, and none where one is", () => {
    const f = fn("f", { at: "a.c" }, () => Return(-EBUSY));
    expect(complaint(() => f())).toContain("declared without `returns`");
    const g = fn("g", { at: "a.c", returns: errno }, () => Return());
    expect(complaint(() => void g())).toContain("returns a value; this Return has none");
    const h = fn("h", { at: "a.c", returns: errno }, () => Return(-9999));
    expect(complaint(() => void h())).toContain("-9999 is no return code");
  });

  test("a break outside of a loop", () => {
    expect(complaint(() => Break())).toContain("outside of a loop");
    bodyOf(() => {
      While(
        () => read(n).lt(2),
        () => Break(),
      );
      Label("out");
      If(read(n).eq(0), () => Goto("out"));
    });
  });

  test("kernel code while the model is loaded", () => {
    expect(() => read(n)).toThrow("ran while the model was being loaded");
  });

  test("two functions of one name", () => {
    const a = fn("same", { at: "a.c" }, () => write(n, 1));
    const b = fn("same", { at: "b.c" }, () => write(n, 2));
    expect(
      complaint(() => {
        a();
        b();
      }),
    ).toContain("two different functions are called same");
  });

  test("a JavaScript loop without end around kernel code", () => {
    const endless = () => {
      for (;;) mutex_lock(m);
    };
    expect(complaint(endless)).toContain("a JavaScript loop runs while the model is recorded");
  });

  test("whatever else the body throws, at the line of the model", () => {
    expect(complaint(() => mutex_lock(null as never))).toMatch(/^TypeError: .*--typecheck/);
    expect(
      complaint(() => {
        throw new Error("boom");
      }),
    ).toBe("Error: boom");
  });

  test("more named objects than slots", () => {
    expect(
      complaint(() => {
        for (const name of ["a", "b", "c"]) mutex_lock(dev.object(name).lock);
      }),
    ).toContain("dev has 2 slots, too few for the object c");
  });
});

describe("a protocol", () => {
  const scenario = { id: "s", title: "s", properties: [deadlock], threads: () => [thread("T", () => mutex_lock(m))] };
  const options = { title: "p", source: "test", variants: [{ id: "v4.0", title: "v" }], scenarios: [scenario] };

  test("names what it does not know, and the nearest", () => {
    const p = protocol("p", options);
    expect(() => p.record({ variant: "v4.1", scenario: "s" })).toThrow("did you mean v4.0");
    expect(() => p.record({ variant: "v4.0", scenario: "t" })).toThrow("did you mean s");
    expect(() => p.record({ variant: "v4.0", scenario: "s", switches: { msleep: "any" } })).toThrow(
      "no switch is called msleep",
    );
    expect(() => p.record({ variant: "v4.0", scenario: "s", sizes: { openers: 2 } })).toThrow(
      "no size of s is called openers; there is none",
    );
  });

  test("ids that cannot be part of a file's name", () => {
    for (const id of ["", "../up", "a/b", "a\\b", "a\nb", " a", "-a", ".hidden", undefined as unknown as string]) {
      expect(() => protocol(id, options)).toThrow("cannot be the id of a protocol");
      const scenarios = [{ ...scenario, id }];
      expect(() => protocol("p", { ...options, scenarios })).toThrow("cannot be the id of a scenario");
    }
    for (const id of ["größe-2.6_x+y", "a b"]) expect(protocol(id, options).id).toBe(id);
  });

  test("an expectation of a property no scenario has", () => {
    expect(() => protocol("p", { ...options, expected: [vacuous([], [], lockDiscipline, "…")] })).toThrow(
      "no property is called lock-discipline",
    );
  });

  test("two expectations for one cell", () => {
    const expected = [vacuous([], [], deadlock, "one"), vacuous(["v4.0"], [], deadlock, "two")];
    expect(() => protocol("p", { ...options, expected }).record({ variant: "v4.0", scenario: "s" })).toThrow(
      "has 2 expectations",
    );
  });
});
