/** What was found, and why. */
import type { Expected } from "lockstep";

export const expected: readonly Expected[] = [];
