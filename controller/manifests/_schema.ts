/** Words for OpenAPI schemas of our kinds (structural, as CustomResourceDefinitions want them). */

/** A schema as plain data. */
export type Schema = Readonly<Record<string, unknown>>;

/** A mapping with these keys. */
export function object(
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
  rest: Schema = {},
): Schema {
  return { type: "object", properties, ...(required.length === 0 ? {} : { required }), ...rest };
}

/** A list. */
export function list(items: Schema, maxItems: number, description: string): Schema {
  return { type: "array", items, maxItems, description };
}

/** A text. */
export function text(description: string, rest: Schema = {}): Schema {
  return { type: "string", description, ...rest };
}

/** One of a closed list. */
export function oneOf(values: readonly string[], fallback: string | null, description: string): Schema {
  return { type: "string", enum: values, ...(fallback === null ? {} : { default: fallback }), description };
}

/** The number of a port. */
export function port(description: string): Schema {
  return { type: "integer", minimum: 1, maximum: 65535, description };
}

/** A port by number or by name. */
export function portOrName(description: string): Schema {
  return { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true, description };
}

/** A label selector. */
export function selector(description: string): Schema {
  return object(
    {
      matchLabels: { type: "object", additionalProperties: { type: "string" } },
      matchExpressions: list(
        object(
          {
            key: text("Key of a label."),
            operator: oneOf(["In", "NotIn", "Exists", "DoesNotExist"], null, "How it is compared."),
            values: { type: "array", items: { type: "string" } },
          },
          ["key", "operator"],
        ),
        64,
        "All must hold.",
      ),
    },
    [],
    { description },
  );
}

/** Several rules in CEL, each with its message. */
export function rules(...all: readonly (readonly [expression: string, message: string])[]): Schema {
  return { "x-kubernetes-validations": all.map(([expression, message]) => ({ rule: expression, message })) };
}

/** A rule in CEL with its message. */
export function rule(expression: string, message: string): Schema {
  return { "x-kubernetes-validations": [{ rule: expression, message }] };
}
