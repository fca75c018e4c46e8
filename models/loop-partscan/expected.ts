/** What was found, and why. Where nothing is said, the property holds. */
import type { Expected } from "lockstep";

export const expected: readonly Expected[] = [];
