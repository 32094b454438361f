/** The fields of an installation → values.yaml and values.schema.json of the chart. */
import { type Field, type Fields, INSTALL_FIELDS } from "../../../controller/manifests/fields.ts";
import { defaultValues } from "../../../controller/manifests/values.ts";

type Tree = Readonly<Record<string, unknown>>;

/** values.yaml: the defaults, each with what it is. @param version of the binary */
export function valuesYaml(version: string): string {
  const { version: _, ...defaults } = defaultValues(version);
  return `# Values of the chart; \`tulle install -f\` takes the same file.\n${print(INSTALL_FIELDS, defaults, "")}`;
}

function print(fields: Fields, values: Tree, indent: string): string {
  return Object.entries(fields).map(([key, field]) => {
    const value = values[key];
    const head = `${indent}# ${describe(field)}\n${indent}${key}:`;
    if (field.kind === "group") return `${head}\n${print(field.fields, value as Tree, `${indent}  `)}`;
    return `${head} ${JSON.stringify(value)}\n`;
  }).join("");
}

function describe(field: Field): string {
  return field.kind === "choice" ? `${field.help} One of ${field.choices.join(", ")}.` : field.help;
}

/** values.schema.json (JSON Schema draft 7, which Helm reads): what Helm refuses is what `tulle install` refuses. */
export function valuesSchema(): string {
  const schema = { $schema: "http://json-schema.org/draft-07/schema#", ...group(INSTALL_FIELDS) };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function group(fields: Fields): Tree {
  const properties = Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, { description: field.help, ...shape(field) }]),
  );
  return { type: "object", additionalProperties: false, properties };
}

function shape(field: Field): Tree {
  switch (field.kind) {
    case "text":
      return { type: "string", pattern: field.pattern };
    case "choice":
      return { type: "string", enum: field.choices };
    case "count":
      return { type: "integer", minimum: field.least, maximum: field.most };
    case "flag":
      return { type: "boolean" };
    case "list":
      return { type: "array" };
    case "texts":
      return { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } };
    case "group":
      return group(field.fields);
  }
}
