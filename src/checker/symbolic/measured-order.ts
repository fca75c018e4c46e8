/**
 * An order of the levels that is judged by states. The search begins in the order that the text of the actions suggests.
 * Where it turns out to be a long one, the diagram of the states reached by then is sifted, and if that makes it much
 * smaller the search begins again in the order found; so once more, and again, if it becomes longer still. How long it is
 * counts in nodes made and not in time: the same system has the same order everywhere.
 */
import type { TransitionSystem } from "../../spec/transition-system.ts";
import { BudgetExhausted, type StoreBudget } from "./list-decision-diagram.ts";
import { ReachableStates } from "./reachable-states.ts";
import { sifted } from "./sifting.ts";
import { type VariableOrder, variableOrder } from "./variable-order.ts";

/** Nodes made when the order is questioned. */
const QUESTIONED = [2 ** 16, 2 ** 19, 2 ** 22];
/** The sample must shrink to this part of its size. */
const WORTH = 0.7;
/** Edges looked at while sifting, by nodes made. */
const EFFORT = 40;

class BetterOrder extends Error {
  readonly order: VariableOrder;

  constructor(order: VariableOrder) {
    super("there is a better order");
    this.order = order;
  }
}

/**
 * Reachable states, explored as far as the budget allows, in an order found on the way.
 *
 * @param checkTime Called now and then; throws when time is up.
 */
export function exploredInMeasuredOrder(
  system: TransitionSystem,
  budget: StoreBudget,
  checkTime: () => void,
): ReachableStates {
  let order = variableOrder(system, checkTime);
  let asked = 0;
  const next = () => QUESTIONED[asked] ?? Number.POSITIVE_INFINITY;
  for (;;) {
    const reached = new ReachableStates(system, order, budget);
    const { store, vector } = reached;
    const watch = {
      at: next(),
      ask: (set: number) => {
        const found = sifted(store, set, vector.length, EFFORT * store.made);
        asked++;
        watch.at = next();
        if (found.after > found.before * WORTH) return;
        throw new BetterOrder({
          order: found.order.map((level) => vector.order[level]!),
          method: `sifting of the states that the first ${QUESTIONED[asked - 1]} nodes had reached`,
        });
      },
    };
    try {
      reached.explore(watch);
      return reached;
    } catch (e) {
      // Asked again, it tells what it ran out of.
      if (e instanceof BudgetExhausted) return reached;
      if (!(e instanceof BetterOrder)) throw e;
      order = e.order;
    }
  }
}
