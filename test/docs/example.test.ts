import { readFileSync } from "node:fs";
import protocol from "../../docs/example/protocol.ts";
import { testVerdicts } from "../models/verdicts.ts";

describe("the example of docs/writing-a-model.md", () => {
  testVerdicts(protocol);

  test("the guide quotes it as it is", () => {
    const squeeze = (text: string) =>
      text
        .replaceAll(/\s+/g, " ")
        .replaceAll(/[,]? ([)}\]])/g, "$1")
        .replaceAll(/([({[]) /g, "$1");
    const source = squeeze(readFileSync("docs/example/protocol.ts", "utf8"));
    const blocks = [...readFileSync("docs/writing-a-model.md", "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map(
      (m) => m[1]!,
    );
    expect(blocks.length).toBeGreaterThan(3);
    for (const block of blocks) {
      for (const part of block
        .split("…")[0]!
        .trim()
        .split(/\n(?=const )/)) {
        expect(source).toContain(squeeze(part).trim().replace(/,$/, ""));
      }
    }
  });
});
