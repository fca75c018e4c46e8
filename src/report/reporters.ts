/** The formats of `check --reporter`. */
import { defaultReporter } from "./default.ts";
import { githubReporter } from "./github.ts";
import { jsonReporter } from "./json.ts";
import { junitReporter } from "./junit.ts";
import { ktapReporter } from "./ktap.ts";
import type { Reporter } from "./reporter.ts";
import { sarifReporter } from "./sarif.ts";

export const REPORTERS: Readonly<Record<string, Reporter>> = {
  default: defaultReporter,
  json: jsonReporter,
  junit: junitReporter,
  sarif: sarifReporter,
  github: githubReporter,
  ktap: ktapReporter,
};
