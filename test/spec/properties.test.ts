/** What properties can speak of: labels before calls, calls, classes of threads; and the ready-made ones over runs. */
import { check } from "../../src/checker/explicit/check.ts";
import { explore, replay } from "../../src/checker/reference/index.ts";
import {
  at,
  atomically,
  bio_account,
  bio_endio,
  bioCompletes,
  bool,
  callReturns,
  ended,
  eventually,
  type FairnessOptions,
  Forever,
  fn,
  global,
  If,
  initially_submitted,
  inside,
  int,
  invariant,
  Label,
  livelock,
  local,
  mutex,
  mutex_lock,
  mutex_trylock,
  mutex_unlock,
  observer,
  type Property,
  pause,
  plain,
  protocol,
  read,
  starvation,
  staysPossible,
  struct,
  type ThreadSpec,
  temporal,
  thread,
  While,
  wait_until,
  waitEnds,
  write,
} from "../../src/index.ts";
import { lower } from "../../src/spec/lowering/lower.ts";

const own = { title: "t", message: "m" };

function record(threads: () => readonly ThreadSpec[], properties: readonly Property[], start = () => {}) {
  const p = protocol("p", {
    title: "p",
    source: "here",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties, threads, start }],
  });
  return p.record({ variant: "v", scenario: "s" })!;
}

async function verdicts(...args: Parameters<typeof record>): Promise<Record<string, string>> {
  const program = record(...args);
  const system = lower(program);
  const properties = program.properties.filter((p) => !p.implied).map((p) => p.id);
  const e = await check(system, { properties, reduction: true, timeout: 60, memory: 2 ** 30, workers: 1 });
  for (const o of e.outcomes) {
    if (o.verdict !== "violated") continue;
    const again = replay(program, o.schedule, o.property);
    expect(again.fits && again.violates ? "replays" : again.message).toBe("replays");
  }
  // The reference interpreter reads labels and calls in its own way.
  for (const o of explore(program, { properties }).outcomes) {
    expect(o).toMatchObject({ verdict: outcome(e, o.property) });
  }
  return Object.fromEntries(e.outcomes.map((o) => [o.property, o.verdict]));
}

const outcome = (e: Awaited<ReturnType<typeof check>>, id: string) =>
  e.outcomes.find((o) => o.property === id)!.verdict;

const m = global("m", mutex());
const x = global("x", plain(int(0, 3)));
const held = global("held", observer(bool));
const locks = fn("locks", { at: "a.c" }, () => {
  mutex_lock(m);
  held.set(true);
  pause("holds it");
  mutex_unlock(m);
  held.set(false);
});
const outer = fn("outer", { at: "a.c" }, () => {
  Label("before_locks");
  locks();
  pause("after");
});

describe("where a thread stands", () => {
  test("a label right before a call is followed by the callee's first step", async () => {
    const caller = () =>
      thread("caller", () => {
        pause("first");
        Label("call");
        outer();
      });
    expect(
      await verdicts(
        () => [caller()],
        [
          // At both labels at once, and at neither anywhere else.
          invariant("one", own, () => at("caller", "call").not().or(at("caller", "before_locks"))),
          invariant("other", own, () => at("caller", "before_locks").not().or(at("caller", "call"))),
          invariant("never", own, () => at("caller", "call").not()),
          invariant("while-free", own, () => at("caller", "call").not().or(held.now.not())),
          invariant("inside", own, () => at("caller", "call").not().or(inside("caller", locks))),
          invariant("locked", own, () => held.now.not().or(inside("caller", "locks"))),
          invariant("converse", own, () => inside("caller", "locks").not().or(held.now)),
        ],
      ),
    ).toEqual({
      one: "holds",
      other: "holds",
      never: "violated",
      "while-free": "holds",
      inside: "holds",
      locked: "holds",
      converse: "violated",
    });
  });

  test("a function a thread takes no step in, and a class of threads that does not exist, are errors", () => {
    const threads = () => [thread("T", () => outer())];
    const lowered = (p: Property) => () => lower(record(threads, [p]));
    expect(lowered(invariant("i", own, () => inside("T", "lockes")))).toThrow(
      'The thread T takes no step in a function "lockes". Nearest: locks,',
    );
    expect(lowered(invariant("i", own, () => inside("U", "locks")))).toThrow('no thread named "U"');
    expect(lowered(temporal("t", own, () => eventually(at("T", "elsewhere"))))).toThrow(
      'runs no function with a label "elsewhere"',
    );
    expect(lowered(temporal("t", own, () => eventually(ended("T")), { strongThreads: ["TT"] }))).toThrow(
      'no thread named "TT"',
    );
    expect(lowered(temporal("t", own, () => eventually(ended("T")), { strongWaits: ["mutexes"] }))).toThrow(
      'waits of kind "mutexes", which is no kind of wait. Nearest: mutex,',
    );
  });
});

describe("a class of threads", () => {
  const user = (count: number) =>
    thread(
      "user",
      () => {
        Forever(() => {
          Label("wait");
          mutex_lock(m);
          held.set(true);
          Label("critical");
          pause("critical section");
          mutex_unlock(m);
          held.set(false);
        });
      },
      { count },
    );
  const served = (id: string, fairness?: FairnessOptions) =>
    starvation(
      id,
      own,
      () => at("user", "wait"),
      () => at("user", "critical"),
      fairness,
    );

  test("is asked member by member: the request of one is not served by another", async () => {
    const asked = [
      served("weak"),
      served("lock", { strongWaits: ["mutex"] }),
      served("class", { strongThreads: ["user"] }),
      // Strong for one of them, and asked of all.
      served("first", { strongThreads: ["user#1"] }),
      invariant("excluded", own, () => at("user", "critical").not().or(held.now)),
    ];
    for (const count of [2, 3]) {
      expect(await verdicts(() => [user(count)], asked)).toEqual({
        weak: "violated",
        lock: "holds",
        class: "holds",
        first: "violated",
        excluded: "holds",
      });
    }
    // Alone, nobody is in the way, and #1 is the only one.
    expect(await verdicts(() => [user(1)], asked)).toMatchObject({ weak: "holds", first: "holds" });
  });

  test("a livelock is one of the member that goes on and makes no progress", async () => {
    // The others always can; only who goes first is never done.
    const done = global("first_done", observer(int(0, 3)));
    const tries = thread(
      "tries",
      () => {
        const got = local("got", bool, false);
        While(
          () => got.value.not(),
          () => got.set(mutex_trylock(m)),
        );
        done.set(1);
        mutex_unlock(m);
      },
      { count: 2 },
    );
    const never = thread("never", () => {
      mutex_lock(m);
      Forever(() => pause("holds it for ever"));
    });
    const spins = livelock("spins", own, ["tries"], () => ended("tries"));
    expect(await verdicts(() => [tries], [spins])).toEqual({ spins: "holds" });
    expect(await verdicts(() => [tries, never], [spins])).toEqual({ spins: "violated" });
  });

  test("of what stays possible one member must be named", async () => {
    expect(() => record(() => [user(2)], [staysPossible("p", own, () => at("user", "critical"))])).toThrow(
      'The property p asks what stays possible for "user", of which there are 2 threads: name one, as in "user#1".',
    );
    const one = staysPossible("p", own, () => at("user#1", "critical"));
    expect(await verdicts(() => [user(2)], [one])).toEqual({ p: "holds" });
    expect(await verdicts(() => [user(1)], [one])).toEqual({ p: "holds" });
  });

  test("a livelock of nobody is an error", () => {
    expect(() => livelock("l", own, [], () => ended("user"))).toThrow("l names no thread that could go on for ever");
  });
});

describe("ready-made questions about runs", () => {
  test("a wait ends", async () => {
    const waits = thread("waits", () => {
      Label("wait");
      wait_until("x is 1", () => x.now.eq(1));
    });
    const sets = thread("sets", () => write(x, 1));
    const ends = waitEnds("ends", own, "waits", "wait");
    expect(await verdicts(() => [waits, sets], [ends])).toEqual({ ends: "holds" });
    expect(await verdicts(() => [waits], [ends])).toEqual({ ends: "violated" });
  });

  const open = fn("open", { at: "a.c" }, () => {
    While(
      () => read(x).ne(0),
      () => {},
    );
  });
  test("a call returns", async () => {
    const opens = thread("opens", () =>
      Forever(() => {
        open();
        pause("between two opens");
      }),
    );
    const sets = (last: number) =>
      thread("sets", () => {
        write(x, 1);
        write(x, last);
      });
    const returns = callReturns("returns", own, "opens", open);
    expect(await verdicts(() => [opens, sets(0)], [returns])).toEqual({ returns: "holds" });
    expect(await verdicts(() => [opens, sets(2)], [returns])).toEqual({ returns: "violated" });
  });

  test("two calls that would look like one are an error, at the call", () => {
    const opens = thread("opens", () => Forever(() => open()));
    const returns = callReturns("returns", own, "opens", open);
    expect(() => lower(record(() => [opens], [returns]))).toThrow("can call open here right after another call of it");
    const twice = thread("opens", () => {
      open();
      open();
    });
    expect(() => lower(record(() => [twice], [returns]))).toThrow("put a step between");
    expect(() => lower(record(() => [thread("opens", () => open())], [returns]))).not.toThrow();
  });

  test("a bio completes, or waits where it may", async () => {
    const bios = struct("bio", { slots: 2, as: "bio" }, { io: bio_account() });
    const [a, b] = [bios.object("a"), bios.object("b")];
    const start = () => {
      initially_submitted(a);
      initially_submitted(b);
    };
    const completes = (bio: typeof a, often = false) =>
      thread(often ? "spins" : "ends", () => {
        if (often) Forever(() => pause("something else"));
        else bio_endio(bio, 0);
      });
    const all = bioCompletes({ bios });
    const notB = bioCompletes({ bios, waiting: (bio) => bio.eq(b) });
    const second = thread("second", () => bio_endio(b, 0));
    expect(await verdicts(() => [completes(a), second], [all], start)).toEqual({ "bio-completes": "holds" });
    // Somebody is busy for ever, so that nothing ever comes to rest, where lostBio would look.
    expect(await verdicts(() => [completes(a), completes(b, true)], [all], start)).toEqual({
      "bio-completes": "violated",
    });
    expect(await verdicts(() => [completes(a), completes(b, true)], [notB], start)).toEqual({
      "bio-completes": "holds",
    });
  });

  test("an operation retried until it succeeds", async () => {
    const done = global("done", observer(bool));
    const retries = thread("retries", () => {
      const again = local("again", bool, true);
      While(
        () => again.value,
        () => {
          Label("tries");
          If(
            mutex_trylock(m),
            () => {
              again.set(false);
              mutex_unlock(m);
            },
            () => {},
          );
        },
      );
      atomically("done", () => done.set(true));
    });
    const succeeds = starvation(
      "starvation",
      own,
      () => at("retries", "tries"),
      () => done.now,
    );
    const once = thread("once", () => locks());
    const again = thread("again", () => Forever(() => locks()));
    expect(await verdicts(() => [retries, once], [succeeds])).toEqual({ starvation: "holds" });
    expect(await verdicts(() => [retries, again], [succeeds])).toEqual({ starvation: "violated" });
  });
});
