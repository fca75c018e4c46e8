import { check } from "../../src/checker/explicit/check.ts";
import { explore, replay } from "../../src/checker/reference/index.ts";
import {
  atomically,
  dataRace,
  global,
  inc,
  int,
  mutex,
  mutex_lock,
  mutex_unlock,
  plain,
  protocol,
  read,
  struct,
  thread,
  write,
} from "../../src/index.ts";
import { lower } from "../../src/spec/lowering/lower.ts";

const m = global("m", mutex());
const n = global("n", plain(int(0, 3)));
const dev = struct("dev", { slots: 2, as: "d" }, { n: plain(int(0, 3)) });

/** The verdict of `data-race` for two threads, in both engines. */
async function race(a: () => void, b: () => void): Promise<string> {
  const p = protocol("p", {
    title: "p",
    source: "test",
    variants: [{ id: "v", title: "v" }],
    scenarios: [{ id: "s", title: "s", properties: [dataRace], threads: () => [thread("a", a), thread("b", b)] }],
  });
  const program = p.record({ variant: "v", scenario: "s" })!;
  const options = { properties: ["data-race"], reduction: true, timeout: 60, memory: 2 ** 30, workers: 1 };
  const [found] = (await check(lower(program), options)).outcomes;
  expect(explore(program).outcomes[0]!.verdict).toBe(found!.verdict);
  return found!.verdict;
}

const locked = (body: () => void) => () => {
  mutex_lock(m);
  body();
  mutex_unlock(m);
};

test("an unprotected write races with a read and with a write", async () => {
  expect(
    await race(
      () => write(n, 1),
      () => void read(n),
    ),
  ).toBe("violated");
  expect(
    await race(
      () => write(n, 1),
      () => write(n, 2),
    ),
  ).toBe("violated");
  expect(
    await race(
      () => void inc(n),
      () => void inc(n),
    ),
  ).toBe("violated");
});

test("two reads do not race, nor do accesses ordered by a lock", async () => {
  expect(
    await race(
      () => void read(n),
      () => void read(n),
    ),
  ).toBe("holds");
  expect(
    await race(
      locked(() => write(n, 1)),
      locked(() => write(n, 2)),
    ),
  ).toBe("holds");
});

test("a lock that only one side takes orders nothing", async () => {
  expect(
    await race(
      locked(() => write(n, 1)),
      () => write(n, 2),
    ),
  ).toBe("violated");
});

test("the same field of two objects is two things", async () => {
  const [x, y] = [dev.object("x"), dev.object("y")];
  expect(
    await race(
      () => write(x.n, 1),
      () => write(y.n, 1),
    ),
  ).toBe("holds");
  expect(
    await race(
      () => write(x.n, 1),
      () => write(x.n, 2),
    ),
  ).toBe("violated");
});

test("a race the kernel accepts is marked, and a claim that is false is a finding", async () => {
  const marked = { race: "a stale value does no harm" };
  expect(
    await race(
      () => write(n, 1, marked),
      () => void read(n, marked),
    ),
  ).toBe("holds");
  expect(
    await race(
      locked(() => write(n, 1, { under: m })),
      locked(() => write(n, 2, { under: m })),
    ),
  ).toBe("holds");
  expect(
    await race(
      () => write(n, 1, { under: m }),
      () => {},
    ),
  ).toBe("violated");
});

test("one step is never a race with itself", async () => {
  expect(
    await race(
      () => atomically("both", () => write(n, 1)),
      () => {},
    ),
  ).toBe("holds");
});

test("a false claim is found where nobody asks for races, and only that", async () => {
  const outcomes = async (body: () => void) => {
    const p = protocol("p", {
      title: "p",
      source: "test",
      variants: [{ id: "v", title: "v" }],
      scenarios: [{ id: "s", title: "s", properties: [], threads: () => [thread("a", body), thread("b", body)] }],
    });
    const program = p.record({ variant: "v", scenario: "s" })!;
    const found = (
      await check(lower(program), { properties: [], reduction: true, timeout: 60, memory: 2 ** 30, workers: 1 })
    ).outcomes;
    for (const o of found) {
      if (o.verdict !== "violated") continue;
      const again = replay(program, o.schedule, o.property);
      expect(again.fits && again.violates).toBe(true);
    }
    return found.map((o) => `${o.property} ${o.verdict}`);
  };
  expect(await outcomes(() => write(n, 1, { under: m }))).toEqual(["data-race violated"]);
  expect(await outcomes(locked(() => write(n, 1, { under: m })))).toEqual([]);
  expect(await outcomes(() => write(n, 1))).toEqual([]);
});
