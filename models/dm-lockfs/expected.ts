/** What was found, with the reason. */
import type { Expected } from "lockstep";

export const expected: readonly Expected[] = [];
