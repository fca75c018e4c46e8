/** The threads of a divided search, seen from the thread that started them. */
import { Worker } from "node:worker_threads";
import type { Image, LookBack, LookedBack, PartPlan, PartReport, SharedMemory } from "./part.ts";
import type { PartReply, PartRequest } from "./part-worker.ts";
import { Rendezvous } from "./rendezvous.ts";

/** A thread of a search ended although it should not have. */
export class PartThreadError extends Error {
  constructor(cause: Error) {
    super(`a thread of the search failed: ${cause.message}`, { cause });
    this.name = "PartThreadError";
  }
}

/** Threads that have nothing to do: starting one takes as long as a small search. */
const idle = new Map<string, Worker[]>();

class Thread {
  readonly #file: URL;
  readonly #worker: Worker;
  #waiting: { resolve: (reply: PartReply) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;

  constructor(file: URL) {
    this.#file = file;
    this.#worker = idle.get(file.href)?.pop() ?? new Worker(file);
    this.#worker.removeAllListeners();
    this.#worker.on("message", (reply: PartReply) => {
      // Nobody is to wait for a thread that has nothing to do.
      this.#worker.unref();
      this.#waiting?.resolve(reply);
      this.#waiting = undefined;
    });
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", (status) => this.#fail(new Error(`it ended with status ${status}`)));
    this.#worker.unref();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  ask(request: PartRequest): Promise<PartReply> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#waiting = { resolve, reject };
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  /** For the next search, if it answers; else it is ended. */
  async release(): Promise<void> {
    if (this.#waiting !== undefined || this.#failure !== undefined) {
      await this.#worker.terminate();
      return;
    }
    await this.ask({ do: "end" });
    this.#worker.removeAllListeners();
    // One that fails while nobody uses it ends, which whoever takes it next will see.
    this.#worker.on("error", () => {});
    const list = idle.get(this.#file.href) ?? [];
    list.push(this.#worker);
    idle.set(this.#file.href, list);
  }
}

export class PartThreads {
  readonly #threads: Thread[] = [];
  readonly #control: Rendezvous;
  readonly #begun: Promise<unknown>;

  constructor(plan: PartPlan, memory: SharedMemory, file: URL) {
    this.#control = new Rendezvous(memory.control, plan.parts, -1);
    try {
      for (let own = 0; own < plan.parts; own++) this.#threads.push(new Thread(file));
      this.#begun = this.#all((own) => ({ do: "begin", plan, own, memory }));
    } catch (error) {
      this.#begun = Promise.reject(error);
    }
    // Whoever needs the threads asks `begun`; until then nobody has to know.
    this.#begun.catch(() => {});
  }

  async #all(request: (own: number) => PartRequest): Promise<PartReply[]> {
    const answers = this.#threads.map((thread, own) => thread.ask(request(own)));
    try {
      return await Promise.all(answers);
    } catch (error) {
      // The others must not wait for it.
      this.#control.abandon();
      await Promise.allSettled(answers);
      throw new PartThreadError(error as Error);
    }
  }

  /** Whether all threads run; no error if they could not be started. */
  async begun(): Promise<boolean> {
    try {
      await this.#begun;
      return true;
    } catch {
      return false;
    }
  }

  /** Divides the states of an image among the threads; false: there is no memory for that. */
  async settle(image: Image): Promise<boolean> {
    const replies = await this.#all(() => ({ do: "settle", image }));
    return replies.every((r) => r.done === "settle" && r.settled);
  }

  /** Searches until there is a reason to stop, which all reports agree on. */
  async explore(): Promise<PartReport[]> {
    const replies = await this.#all(() => ({ do: "explore" }));
    return replies.flatMap((r) => (r.done === "explore" ? [r.report] : []));
  }

  async lookBack(question: LookBack): Promise<LookedBack[]> {
    const replies = await this.#all(() => ({ do: "lookBack", question }));
    return replies.flatMap((r) => (r.done === "lookBack" ? [r.found] : []));
  }

  /** Asks the threads to stop where they next can, or takes that back. */
  ask(stop: boolean): void {
    this.#control.ask(stop);
  }

  async close(): Promise<void> {
    this.#control.abandon();
    await Promise.allSettled([this.#begun]);
    await Promise.allSettled(this.#threads.map((thread) => thread.release()));
  }
}
