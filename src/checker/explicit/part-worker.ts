/** A thread that searches one part of a divided search, and then of another: one message in, one answer out. */
import { parentPort } from "node:worker_threads";
import {
  type Image,
  type LookBack,
  type LookedBack,
  Part,
  type PartPlan,
  type PartReport,
  type SharedMemory,
} from "./part.ts";

export type PartRequest =
  | { readonly do: "begin"; readonly plan: PartPlan; readonly own: number; readonly memory: SharedMemory }
  | { readonly do: "settle"; readonly image: Image }
  | { readonly do: "explore" }
  | { readonly do: "lookBack"; readonly question: LookBack }
  | { readonly do: "end" };

export type PartReply =
  | { readonly done: "begin" | "end" }
  /** False: there is no memory for it. */
  | { readonly done: "settle"; readonly settled: boolean }
  | { readonly done: "explore"; readonly report: PartReport }
  | { readonly done: "lookBack"; readonly found: LookedBack };

let part: Part | undefined;

function answer(request: PartRequest): PartReply {
  if (request.do === "begin") {
    part = new Part(request.plan, request.own, request.memory);
    return { done: "begin" };
  }
  if (request.do === "end") {
    part = undefined;
    return { done: "end" };
  }
  if (part === undefined) throw new Error(`${request.do}: no search has begun`);
  switch (request.do) {
    case "settle":
      return { done: "settle", settled: part.settle(request.image) };
    case "explore":
      return { done: "explore", report: part.report(part.explore()) };
    case "lookBack":
      return { done: "lookBack", found: part.lookBack(request.question) };
  }
}

const port = parentPort;
port?.on("message", (request: PartRequest) => port.postMessage(answer(request)));
