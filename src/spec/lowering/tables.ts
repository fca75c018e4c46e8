/** The tables of findings and marks, filled as the lowering meets them: equal entries share an index. */
import type { SysFinding } from "../transition-system.ts";

export class FindingTable {
  readonly findings: SysFinding[] = [];
  private readonly index = new Map<string, number>();

  intern(finding: SysFinding): number {
    const { kind, message, error, site, fn, race } = finding;
    const key = JSON.stringify([kind, message, error, site.file, site.line, site.column, fn]);
    let f = this.index.get(key);
    if (f === undefined) {
      f = this.findings.length;
      this.findings.push({ kind, message, error, site, fn, ...(race ? { race } : {}) });
      this.index.set(key, f);
    }
    return f;
  }
}

export class MarkTable {
  readonly marks: string[] = [];
  private readonly index = new Map<string, number>();

  intern(name: string): number {
    let m = this.index.get(name);
    if (m === undefined) {
      m = this.marks.length;
      this.marks.push(name);
      this.index.set(name, m);
    }
    return m;
  }
}
