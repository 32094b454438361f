/** Schemas of the kinds that shape traffic. */
import { MAX_OVERRIDES, MAX_RATE } from "../kube/rate_limits.ts";
import { list, object, rule, type Schema, text } from "./_schema.ts";

function number(minimum: number, maximum: number, description: string): Schema {
  return { type: "integer", minimum, maximum, description };
}

const RATE = {
  requestsPerSecond: number(1, MAX_RATE, "Requests a second, in the long run."),
  burst: number(
    1,
    MAX_RATE,
    "Requests that may come at once after a pause; as many as a second has where it is left out.",
  ),
};

function rate(description: string): Schema {
  return object(RATE, ["requestsPerSecond"], { description });
}

/** RateLimitPolicy. */
export function rateLimitSpec(targetRef: Schema): Schema {
  const client = object(
    {
      kind: { type: "string", enum: ["ServiceAccount"] },
      name: text("Name of the ServiceAccount.", { minLength: 1, maxLength: 253 }),
      namespace: text("Its namespace; the policy's own where it is left out.", { maxLength: 63 }),
    },
    ["kind", "name"],
  );
  return object(
    {
      targetRef,
      total: rate("All requests together."),
      identity: rate("Each identity for itself; callers without one together."),
      overrides: list(
        object({ ...RATE, clientRefs: { ...list(client, MAX_OVERRIDES, "Whose rate it is."), minItems: 1 } }, [
          "requestsPerSecond",
          "clientRefs",
        ]),
        MAX_OVERRIDES,
        "Rates of callers in place of identity.",
      ),
      header: object(
        { ...RATE, name: text("Name of the header.", { minLength: 1, maxLength: 256 }) },
        ["name", "requestsPerSecond"],
        { description: "Each value of a header for itself; requests without it are not counted." },
      ),
    },
    ["targetRef"],
    rule(
      "has(self.total) || has(self.identity) || has(self.header) || (has(self.overrides) && size(self.overrides) > 0)",
      "want total, identity, overrides or header",
    ),
  );
}
