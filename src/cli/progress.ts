/** Progress on stderr: a spinner on a terminal, elsewhere a plain line now and then. */
import type { Progress } from "../checker/verdict.ts";

/** Seconds between plain lines. */
const INTERVAL = 10;

export interface ProgressDisplay {
  update(finished: number, total: number, running: ReadonlyMap<string, Progress>): void;
  stop(): void;
}

export async function startProgress(): Promise<ProgressDisplay> {
  const stream = process.stderr;
  // ora 9 loops for ever on a terminal of no columns (a pty under CI), and animates nothing useful under CI or TERM=dumb.
  const interactive =
    stream.isTTY === true && (stream.columns ?? 0) > 0 && !process.env.CI && process.env.TERM !== "dumb";
  if (!interactive) return plainLines();
  const { default: ora } = await import("ora"); // 90 ms that other uses need not pay
  const spinner = ora({ text: "checking", stream, isEnabled: true, discardStdin: false }).start();
  return {
    update: (finished, total, running) => {
      spinner.text = sentence(finished, total, running);
    },
    stop: () => spinner.stop(),
  };
}

function plainLines(): ProgressDisplay {
  let last = Date.now();
  return {
    update: (finished, total, running) => {
      if (Date.now() - last < INTERVAL * 1000) return;
      last = Date.now();
      process.stderr.write(`${sentence(finished, total, running)}\n`);
    },
    stop: () => {},
  };
}

export function sentence(finished: number, total: number, running: ReadonlyMap<string, Progress>): string {
  const now = [...running].map(([name, p]) => {
    // Engines that do not enumerate know no more than how deep they are.
    const states = p.states === 0 ? "" : `${count(p.states)} states, `;
    const frontier = p.frontier === 0 ? "" : `, ${count(p.frontier)} to go`;
    const share = p.share === undefined ? "" : `, about ${Math.round(p.share * 20) * 5} % found`;
    const warning = p.warning === undefined ? "" : `, WARNING: ${p.warning}`;
    return `${name}: ${states}depth ${p.depth}${frontier}${share}${warning}`;
  });
  return `${finished} of ${total} checked${now.length > 0 ? `; ${now.join("; ")}` : ""}`;
}

function count(n: number): string {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)} M`;
  return n >= 1e4 ? `${(n / 1e3).toFixed(0)} k` : String(n);
}
