/**
 * Textbook algorithms whose liveness is known, and what each needs of the scheduler. The answers are published: Peterson
 * 1981; Lamport 1974 (bakery); Dijkstra 1971 (philosophers); Herlihy and Shavit, "The Art of Multiprocessor Programming",
 * chapters 2, 7 and 8 (test-and-set, ticket locks, readers and writers); Lamport 1977 and Francez 1986 on fairness.
 */
import {
  always,
  at,
  atomic,
  atomic_inc_return,
  atomically,
  bit,
  bool,
  clear_bit,
  deadlock,
  down_read,
  down_write,
  ended,
  eventually,
  type FairnessOptions,
  Forever,
  global,
  If,
  infinitelyOften,
  int,
  invariant,
  Label,
  livelock,
  local,
  mutex,
  mutex_lock,
  mutex_trylock,
  mutex_unlock,
  type Property,
  pause,
  plain,
  protocol,
  RWSEM_SWITCH,
  read,
  rw_semaphore,
  SCHEDULER_SWITCH,
  spin_lock,
  spin_unlock,
  spinlock,
  starvation,
  type ThreadSpec,
  temporal,
  test_and_set_bit,
  thread,
  up_read,
  up_write,
  While,
  wait_until,
  waitEnds,
  write,
} from "../../../src/index.ts";
import type { Program } from "../../../src/spec/program.ts";

type Verdict = "holds" | "violated" | "vacuous";

export interface Textbook {
  readonly name: string;
  readonly program: Program;
  readonly expected: Readonly<Record<string, Verdict>>;
  /** Properties that SPIN decides too, under weak fairness. */
  readonly spin: readonly string[];
  /** Why a violation is legal, or what would forbid it, as the report has it. */
  readonly reasons: Readonly<Record<string, string>>;
}

const own = { title: "t", message: "m" };

interface Case {
  readonly threads: () => readonly ThreadSpec[];
  /** Each with its verdict, and where SPIN is to decide it too, `spin`; a text is the reason of a violation. */
  readonly asked: readonly (readonly [Property, Verdict, ...("spin" | { readonly reason: string })[]])[];
  readonly switches?: Readonly<Record<string, string>>;
}

function textbook(name: string, { threads, asked, switches = {} }: Case): Textbook {
  const properties = asked.map(([property]) => property);
  const p = protocol("p", {
    title: "p",
    source: "textbook",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties, threads }],
    switches: { scheduler: SCHEDULER_SWITCH, rwsem: RWSEM_SWITCH },
  });
  return {
    name,
    program: p.record({ variant: "v", scenario: "s", switches })!,
    expected: Object.fromEntries(asked.map(([property, verdict]) => [property.id, verdict])),
    spin: asked.flatMap(([property, , ...more]) => (more.includes("spin") ? [property.id] : [])),
    reasons: Object.fromEntries(
      asked.flatMap(([property, , ...more]) =>
        more.flatMap((m) => (typeof m === "string" ? [] : [[property.id, m.reason] as const])),
      ),
    ),
  };
}

const served = (id: string, who: string, fairness?: FairnessOptions) =>
  starvation(
    id,
    own,
    () => at(who, "wait"),
    () => at(who, "critical"),
    fairness,
  );
const strong = { threads: "strong" } as const;
const none = { threads: "none" } as const;

// Mutual exclusion by reads and writes.
const flag = [global("flag0", plain(bool)), global("flag1", plain(bool))] as const;
const turn = global("turn", plain(int(0, 1)));
const exclusion = invariant("exclusion", own, () => at("P0", "critical").and(at("P1", "critical")).not());

function peterson(me: 0 | 1): ThreadSpec {
  return thread(`P${me}`, () => {
    Forever(() => {
      write(flag[me], true);
      write(turn, 1 - me);
      Label("wait");
      While(
        () => read(flag[1 - me]!).and(read(turn).eq(1 - me)),
        () => {},
      );
      Label("critical");
      pause("critical section");
      write(flag[me], false);
    });
  });
}

function wrongOrder(me: 0 | 1): ThreadSpec {
  return thread(`P${me}`, () => {
    write(turn, 1 - me);
    write(flag[me], true);
    While(
      () => read(flag[1 - me]!).and(read(turn).eq(1 - me)),
      () => {},
    );
    Label("critical");
    pause("critical section");
    write(flag[me], false);
  });
}

const choosing = [global("choosing0", plain(bool)), global("choosing1", plain(bool))] as const;
const number = [global("number0", plain(int(0, 6))), global("number1", plain(int(0, 6)))] as const;
function baker(me: 0 | 1): ThreadSpec {
  return thread(`P${me}`, () => {
    const round = local("round", int(0, 2), 0);
    While(
      () => round.value.lt(2),
      () => {
        write(choosing[me], true);
        const other = read(number[1 - me]!);
        write(number[me], other.plus(1));
        write(choosing[me], false);
        Label("wait");
        While(
          () => read(choosing[1 - me]!),
          () => {},
        );
        While(
          () => {
            const theirs = read(number[1 - me]!);
            const mine = read(number[me]);
            const before = me === 0 ? theirs.lt(mine) : theirs.le(mine);
            return theirs.ne(0).and(before);
          },
          () => {},
        );
        Label("critical");
        pause("critical section");
        write(number[me], 0);
        round.set(round.value.plus(1));
      },
    );
  });
}

// Locks.
const next = global("next", plain(int(0, 2)));
const serving = global("serving", plain(int(0, 2)));
function ticketed(name: string): ThreadSpec {
  const modulo = (v: typeof next) => {
    const t = read(v);
    If(
      t.eq(1),
      () => write(v, 0),
      () => write(v, t.plus(1)),
    );
    return t;
  };
  return thread(name, () => {
    Forever(() => {
      const mine = local("mine", int(0, 2), 0);
      atomically("ticket = next++", () => mine.set(modulo(next)));
      Label("wait");
      wait_until("serving == ticket", () => serving.now.eq(mine.value));
      Label("critical");
      pause("critical section");
      atomically("serving++", () => void modulo(serving));
    });
  });
}

const lock = global("lock", spinlock());
function spinner(name: string): ThreadSpec {
  return thread(name, () => {
    Forever(() => {
      Label("wait");
      spin_lock(lock);
      Label("critical");
      pause("critical section");
      spin_unlock(lock);
    });
  });
}

const held = global("held", bit());
function testAndSet(name: string): ThreadSpec {
  return thread(name, () => {
    Forever(() => {
      Label("wait");
      While(
        () => test_and_set_bit(held),
        () => {},
      );
      Label("critical");
      pause("critical section");
      clear_bit(held);
    });
  });
}

const m = global("m", mutex());
const tries = thread("tries", () => {
  const got = local("got", bool, false);
  While(
    () => got.value.not(),
    () => got.set(mutex_trylock(m)),
  );
  mutex_unlock(m);
});
const holds = thread("holds", () => {
  Forever(() => {
    mutex_lock(m);
    mutex_unlock(m);
  });
});
const waits = thread("waits", () => {
  mutex_lock(m);
  mutex_unlock(m);
});

// Philosophers.
const forks = [global("fork0", mutex()), global("fork1", mutex()), global("fork2", mutex())] as const;
function philosopher(i: number, leftFirst: boolean): ThreadSpec {
  return thread(`P${i}`, () => {
    const [a, b] = leftFirst ? [forks[i]!, forks[(i + 1) % 3]!] : [forks[(i + 1) % 3]!, forks[i]!];
    Forever(() => {
      Label("wait");
      mutex_lock(a);
      mutex_lock(b);
      Label("critical");
      pause("eats");
      mutex_unlock(b);
      mutex_unlock(a);
    });
  });
}
const somebodyEats = temporal("somebody", own, () =>
  infinitelyOften(at("P0", "critical").or(at("P1", "critical")).or(at("P2", "critical"))),
);

// Readers and writers.
const sem = global("sem", rw_semaphore());
const reader = thread(
  "reader",
  () => {
    Forever(() => {
      down_read(sem);
      pause("reads");
      up_read(sem);
    });
  },
  { count: 2 },
);
const writer = thread("writer", () => {
  Label("wait");
  down_write(sem);
  up_write(sem);
});
const writes = (id: string, fairness?: FairnessOptions) =>
  temporal(id, own, () => eventually(ended("writer")), fairness);

// One CPU.
const flagged = global("flagged", plain(bool));
const spins = thread("spins", () => {
  While(
    () => read(flagged).not(),
    () => {},
  );
});
const sleeps = thread("sleeps", () => wait_until("flagged", () => flagged.now));
const sets = thread("sets", () => write(flagged, true));
const spinnerEnds = (id: string, fairness?: FairnessOptions) =>
  temporal(id, own, () => eventually(ended("spins")), fairness);

const n = global("n", atomic(0, 3));
const counter = (name: string) => thread(name, () => void atomic_inc_return(n));

export const TEXTBOOKS: readonly Textbook[] = [
  textbook("Peterson: starvation-free under weak fairness, not without", {
    threads: () => [peterson(0), peterson(1)],
    asked: [
      [exclusion, "holds"],
      [served("weak", "P0"), "holds", "spin"],
      [
        served("none", "P0", none),
        "violated",
        { reason: "P1 could move all the time and never does, which only a run without fairness may do." },
      ],
    ],
  }),
  textbook("Peterson with the two writes in the wrong order excludes nobody", {
    threads: () => [wrongOrder(0), wrongOrder(1)],
    asked: [[exclusion, "violated"]],
  }),
  textbook("bakery, two rounds: first come, first served, and both end", {
    threads: () => [baker(0), baker(1)],
    asked: [
      [exclusion, "holds"],
      [served("weak", "P0"), "holds", "spin"],
      [temporal("ends", own, () => eventually(ended("P0", "P1"))), "holds"],
      [served("none", "P0", none), "violated"],
    ],
  }),
  textbook("a ticket lock serves everybody under weak fairness", {
    threads: () => [ticketed("P0"), ticketed("P1")],
    asked: [
      [served("weak", "P0"), "holds", "spin"],
      // Who waits does not spin: in the end only the one whose turn it is can move.
      [served("none", "P0", none), "holds"],
    ],
  }),
  textbook("a spinlock serves its waiters only if it, or the waiter, is strongly fair", {
    threads: () => [spinner("P0"), spinner("P1")],
    asked: [
      [
        served("weak", "P0"),
        "violated",
        "spin",
        { reason: "What would forbid it: strong fairness of P0, or of whatever lets it take spin_lock(&lock)." },
      ],
      [served("strong", "P0", strong), "holds"],
      [served("waiter", "P0", { strongThreads: ["P0"] }), "holds"],
      [served("other", "P0", { strongThreads: ["P1"] }), "violated"],
      [served("lock", "P0", { strongWaits: ["spinlock"] }), "holds"],
      [served("mutex", "P0", { strongWaits: ["mutex"] }), "violated"],
      [served("none", "P0", none), "violated"],
    ],
  }),
  textbook("test-and-set: the loser steps and loses, which no fairness of threads mends", {
    threads: () => [testAndSet("P0"), testAndSet("P1")],
    asked: [
      [served("weak", "P0"), "violated", "spin"],
      [
        served("strong", "P0", strong),
        "violated",
        { reason: "No assumption of fairness, of threads or of locks, forbids it." },
      ],
      [temporal("somebody", own, () => infinitelyOften(at("P0", "critical").or(at("P1", "critical")))), "holds"],
    ],
  }),
  textbook("a trylock retried for ever is a livelock of the one who retries", {
    threads: () => [tries, holds],
    asked: [
      [livelock("livelock", own, ["tries"], () => ended("tries"), strong), "violated"],
      [temporal("ends", own, () => eventually(ended("tries"))), "violated"],
    ],
  }),
  textbook("who waits in vain starves, and is no livelock", {
    threads: () => [waits, holds],
    asked: [
      [livelock("livelock", own, ["waits"], () => ended("waits")), "holds"],
      [temporal("ends", own, () => eventually(ended("waits"))), "violated"],
      [temporal("handed", own, () => eventually(ended("waits")), { strongWaits: ["mutex"] }), "holds"],
    ],
  }),
  textbook("philosophers, all left-handed: a deadlock, and so hunger under any fairness", {
    threads: () => [0, 1, 2].map((i) => philosopher(i, true)),
    asked: [
      [deadlock, "violated"],
      [
        served("strong", "P0", strong),
        "violated",
        { reason: "The run ends here, because nobody can move: no assumption of fairness forbids that." },
      ],
      [somebodyEats, "violated"],
    ],
  }),
  textbook("philosophers, one right-handed: somebody always eats; each of them only with strong fairness", {
    threads: () => [0, 1, 2].map((i) => philosopher(i, i !== 0)),
    asked: [
      [deadlock, "holds"],
      [somebodyEats, "holds", "spin"],
      [served("weak", "P1"), "violated", "spin"],
      [served("strong", "P1", strong), "holds"],
      [served("forks", "P1", { strongWaits: ["mutex"] }), "holds"],
      [served("none", "P1", none), "violated"],
      [temporal("settles", own, () => eventually(always(at("P0", "critical").not()))), "violated"],
    ],
  }),
  textbook("readers and writers, first come first served: the writer gets in", {
    threads: () => [reader, writer],
    asked: [
      [writes("weak"), "holds", "spin"],
      [writes("none", none), "violated"],
    ],
  }),
  textbook("readers and writers, readers first: the writer starves, and no fairness helps", {
    threads: () => [reader, writer],
    switches: { rwsem: "unfair" },
    asked: [
      [
        writes("strong", strong),
        "violated",
        {
          reason:
            "writer, which waits for sem, held by reader#1, cannot move in any state of it, so no fairness asks it to.",
        },
      ],
      [writes("lock", { strongWaits: ["rwsem"] }), "violated"],
      [waitEnds("waits", own, "writer", "wait"), "violated", "spin"],
    ],
  }),
  textbook("a spinning wait ends where there are several CPUs", {
    threads: () => [spins, sets],
    asked: [
      [spinnerEnds("weak"), "holds"],
      [spinnerEnds("strong", strong), "holds"],
      [livelock("livelock", own, ["spins"], () => ended("spins")), "holds"],
    ],
  }),
  textbook("a spinning wait on one CPU without preemption is a soft lock-up under any fairness", {
    threads: () => [spins, sets],
    switches: { scheduler: "one-cpu" },
    asked: [
      [spinnerEnds("weak"), "violated", "spin"],
      [
        spinnerEnds("strong", strong),
        "violated",
        { reason: "sets cannot move in any state of it, so no fairness asks it to." },
      ],
      [livelock("livelock", own, ["spins"], () => ended("spins")), "violated"],
    ],
  }),
  textbook("one that sleeps on one CPU does not keep the other from it", {
    threads: () => [sleeps, sets],
    switches: { scheduler: "one-cpu" },
    asked: [[temporal("weak", own, () => eventually(ended("sleeps"))), "holds"]],
  }),
  textbook("always and eventually over a count", {
    threads: () => [counter("a"), counter("b")],
    asked: [
      [temporal("two", own, () => eventually(always(n.now.eq(2)))), "holds"],
      [temporal("one", own, () => eventually(always(n.now.eq(1)))), "violated", "spin"],
      // Without fairness too: a run ends only when nobody can move.
      [temporal("two-without-fairness", own, () => eventually(n.now.eq(2)), none), "holds"],
    ],
  }),
];
