/** The worker thread that runs items: one message in, progress and one outcome out. */
import { parentPort } from "node:worker_threads";
import { type Item, type ItemOptions, type ItemOutcome, runItem } from "./item.ts";
import type { Progress } from "./verdict.ts";

export type WorkerRequest = { readonly item: Item; readonly options: ItemOptions };
export type WorkerReply = { readonly progress: Progress } | { readonly outcome: ItemOutcome };

const port = parentPort;
port?.on("message", ({ item, options }: WorkerRequest) => {
  const reply = (message: WorkerReply): void => port.postMessage(message);
  void runItem(item, options, (progress) => reply({ progress })).then((outcome) => reply({ outcome }));
});
