/** Deno lint plugin that keeps `layers.ts` true, and a few rules of style that the stock rules do not have. */
import { IMPURE_GLOBALS, isPure, isTest, judgeImport, judgeLength } from "./layers.ts";

/** The parts of a syntax node that the rules read. */
interface Node {
  readonly type: string;
  readonly name?: string;
  readonly computed?: boolean;
  readonly parent?: Node;
  readonly property?: Node;
  readonly key?: Node;
  readonly source?: { readonly type: string; readonly value?: unknown } | null;
  readonly range?: readonly [number, number];
  readonly declaration?: Node | null;
  readonly importKind?: string;
  readonly exportKind?: string;
  readonly specifiers?: readonly { readonly importKind?: string; readonly exportKind?: string }[];
}

interface Context {
  readonly filename: string;
  readonly sourceCode: { readonly text: string };
  report(found: { node: Node; message: string } | { range: readonly [number, number]; message: string }): void;
}

type Visitor = Record<string, (node: Node) => void>;

const ROOT = new URL("../../", import.meta.url).pathname;

function pathOf(context: Context): string {
  return context.filename.startsWith(ROOT) ? context.filename.slice(ROOT.length) : context.filename;
}

function layers(context: Context): Visitor {
  const from = pathOf(context);
  function judge(node: Node, isType: boolean, isDynamic: boolean): void {
    const specifier = node.source?.value;
    if (typeof specifier !== "string") return;
    const message = judgeImport({ from, specifier, isType, isDynamic });
    if (message !== null) context.report({ node, message });
  }
  return {
    ImportDeclaration(node) {
      const names = node.specifiers ?? [];
      const isType = node.importKind === "type" ||
        (names.length > 0 && names.every((name) => name.importKind === "type"));
      judge(node, isType, false);
    },
    ExportNamedDeclaration: (node) => judge(node, node.exportKind === "type", false),
    ExportAllDeclaration: (node) => judge(node, node.exportKind === "type", false),
    ImportExpression: (node) => judge(node, false, true),
  };
}

function pure(context: Context): Visitor {
  if (!isPure(pathOf(context))) return {};
  return {
    Identifier(node) {
      if (node.name === undefined || !IMPURE_GLOBALS.includes(node.name)) return;
      const parent = node.parent;
      // `x.process` and `{ process: 1 }` are names of properties, not the global.
      if (parent !== undefined && !parent.computed && (parent.property === node || parent.key === node)) return;
      context.report({ node, message: `a pure folder may not use ${node.name}: pass what you need as an argument` });
    },
  };
}

function fileLength(context: Context): Visitor {
  return {
    Program() {
      const message = judgeLength(pathOf(context), context.sourceCode.text);
      if (message !== null) context.report({ range: [0, 1], message });
    },
  };
}

function noDefaultExport(context: Context): Visitor {
  // A lint plugin is found by its default export; nothing else is.
  if (pathOf(context).endsWith("_plugin.ts")) return {};
  return {
    ExportDefaultDeclaration: (node) =>
      context.report({ node, message: "export by name, so that the name is the same everywhere" }),
  };
}

function noEnum(context: Context): Visitor {
  return {
    TSEnumDeclaration: (node) =>
      context.report({ node, message: "use a union of string literals: an enum is code, and hides its values" }),
  };
}

/** Folders whose exported functions say what goes in and out. */
const DOCUMENTED = ["src/", "controller/"];

function docs(context: Context): Visitor {
  const path = pathOf(context);
  const isPrivate = path.includes("/_");
  if (isTest(path) || isPrivate || !DOCUMENTED.some((folder) => path.startsWith(folder))) return {};
  return {
    ExportNamedDeclaration(node) {
      // Of a class, the file's own comment may speak: it is the file's one concern.
      if (node.declaration?.type !== "FunctionDeclaration") return;
      if (context.sourceCode.text.slice(0, node.range?.[0]).trimEnd().endsWith("*/")) return;
      context.report({ node, message: "say above it, in /** … */, what goes in and out, and how it fails" });
    },
  };
}

export default {
  name: "tulle",
  rules: {
    "layers": { create: layers },
    "pure": { create: pure },
    "file-length": { create: fileLength },
    "no-default-export": { create: noDefaultExport },
    "no-enum": { create: noEnum },
    "docs": { create: docs },
  },
};
