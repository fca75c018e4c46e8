import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Protocol } from "../../src/index.ts";
import { discoverModels, repositoryPath } from "../../src/load/discover.ts";
import { describeModelError, loadModel } from "../../src/load/load-model.ts";
import { positionOfError } from "../../src/load/source-position.ts";
import { typecheckModels } from "../../src/load/typecheck.ts";
import { ModelError } from "../../src/spec/model-error.ts";

let directory: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-test-")));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const file = join(directory, name);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
  return file;
}

async function failure(file: string): Promise<ModelError> {
  const error = await loadModel(file).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(ModelError);
  return error as ModelError;
}

const MODEL = `
import { deadlock, fn, global, mutex, mutex_lock, protocol, thread } from "lockstep";
import { NAME } from "./name.ts";
const m = global("m", mutex());
const take = fn("take", { at: "a.c" }, () => {
  mutex_lock(m);
});
export default protocol(NAME, {
  title: "t", source: "s",
  variants: [{ id: "v", title: "v" }],
  scenarios: [{ id: "s", title: "s", threads: () => [thread("t", () => take())], properties: [deadlock] }],
});
`;

test("a model far from any node_modules shares our instance of the language, and its sites are lines of its .ts", async () => {
  write("name.ts", `export const NAME: string = "far";`);
  const file = write("far.ts", MODEL);
  const { protocol } = await loadModel(file);
  expect(protocol).toBeInstanceOf(Protocol);
  const program = protocol.record({ variant: "v", scenario: "s" });
  const step = program?.functions.take?.body.find((s) => s.s === "step");
  expect(step?.site).toEqual({ file, line: 6, column: 3 });
});

test("errors of the bundler carry every file:line:column", async () => {
  const file = write("bad.ts", `import { nope } from "./other.ts";\nnope(;\n`);
  write("other.ts", "export const yes = 1;\n");
  expect((await failure(file)).message).toMatch(/bad\.ts:2:6: Unexpected ";"/);
  const missing = write("missing.ts", `import { nope } from "./other.ts";\nnope();\n`);
  expect((await failure(missing)).message).toMatch(/missing\.ts:1:10: No matching export in .* for import "nope"/);
});

test("an exception while loading is reported at the line that threw", async () => {
  write(
    "deep.ts",
    "export function boom(): never {\n  const nothing = undefined as unknown as { x: number };\n  return nothing.x as never;\n}\n",
  );
  const file = write("throws.ts", `import { boom } from "./deep.ts";\n\nboom();\n`);
  const error = await failure(file);
  expect(describeModelError(error)).toMatch(/deep\.ts:3:18: TypeError: Cannot read properties of undefined/);
});

test.each([
  ["no default export", "export const x = 1;", /it has no default export/],
  ["a number", "export default 5;", /its default export is a number/],
  ["an object", "export default { id: 'x' };", /its default export is an object that is no protocol/],
])("a model must export its protocol by default: %s", async (_, text, message) => {
  const file = write("odd.ts", text);
  const error = await failure(file);
  expect(error.message).toMatch(message);
  expect(error.site).toEqual({ file, line: 1, column: 1 });
});

test("a file that does not exist", async () => {
  expect((await failure(join(directory, "none.ts"))).message).toMatch(/none\.ts: there is no such file/);
});

test("an error without a frame in a model has no position", () => {
  expect(positionOfError(new Error("x"))).toBeUndefined();
  expect(positionOfError("x")).toBeUndefined();
});

test("models are discovered by folder, in order", () => {
  write("models/zeta/protocol.ts", "");
  write("models/alpha/protocol.ts", "");
  write("models/notes/README.md", "");
  expect(discoverModels(directory).map((m) => m.name)).toEqual(["alpha", "zeta"]);
});

test("paths are relative to the repository's root", () => {
  write("package.json", "{}");
  expect(repositoryPath(write("models/a/protocol.ts", ""))).toBe("models/a/protocol.ts");
});

test("type errors are one line each, with their position", () => {
  write("name.ts", `export const NAME: string = "far";`);
  const good = write("good.ts", MODEL);
  expect(typecheckModels([good])).toEqual([]);
  const bad = write("bad.ts", `const n: number = "text";\nexport default n;\n`);
  expect(typecheckModels([bad])).toEqual([`${bad}:1:7: TS2322: Type 'string' is not assignable to type 'number'.`]);
}, 30_000);
