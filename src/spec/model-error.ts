import type { Site } from "./program.ts";

/**
 * The model is wrong: it misuses the specification language, or what it describes cannot be lowered or run.
 * The message says what is wrong and what to do; `site` says where.
 */
export class ModelError extends Error {
  readonly site: Site | undefined;

  constructor(message: string, site?: Site) {
    super(message);
    this.name = "ModelError";
    this.site = site;
  }
}
