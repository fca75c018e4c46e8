import type { CheckReport } from "../checker/result.ts";

export interface ReportContext {
  readonly version: string;
  /** The directory of traces as the user would type it. */
  readonly directory: string;
  /** The directory of certificates, likewise. */
  readonly proofs: string;
  /** Print the counterexamples of expected violations too. */
  readonly all: boolean;
  readonly color: boolean;
}

/** Renders a finished run as text. Reporters decide nothing: the verdicts are in the report. */
export type Reporter = (report: CheckReport, context: ReportContext) => string;
