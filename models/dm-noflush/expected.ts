/** What was found, and why; where nothing is said, the property holds. README.md tells the schedules in words. */
import type { Expected } from "lockstep";

export const expected: readonly Expected[] = [];
