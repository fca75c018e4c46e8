import type { Search } from "../../../src/checker/explicit/codegen.ts";
import { Store } from "../../../src/checker/explicit/store.ts";

test.each([
  [1, 2 ** 20],
  [5, 2 ** 24],
  [25, 2 ** 26],
  [100, 2 ** 27],
])(
  "a store of states of %i words takes no more than its budget of %i bytes, and more than a third of it",
  (words, budget) => {
    const store = new Store(words, 10, [], budget);
    let count = 1;
    const search = { count: () => count, bind: () => {}, rehash: () => {} } as unknown as Search;
    const bytes = () => store.room * store.bytesPerState + 4 * store.table.length;
    for (;;) {
      count = store.room;
      if (!store.grow(search, count + 1)) break;
      expect(bytes()).toBeLessThanOrEqual(budget);
    }
    // The last step of the table may be too large for what is left.
    expect(bytes()).toBeGreaterThan(budget / 3);
  },
);
