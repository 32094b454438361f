/** Conditions of our own kinds. */
import { PolicyJudge } from "../index/policy_status.ts";
import { POLICY_KINDS } from "../kube/resources.ts";
import { policyStatus } from "./_policy_statuses.ts";
import { type StatusOptions, StatusWriter } from "./status_writer.ts";

/** A fault that ended and a Server that a new pod puts beside another are told so much later, milliseconds. */
const LOOK_MS = 10_000;

/** Writes into objects of our kinds whether they are in force (`status.conditions`), while it `isWriter`; retries what fails. */
export function policyStatusWriter(options: StatusOptions): StatusWriter {
  return new StatusWriter(options, {
    kinds: POLICY_KINDS,
    concerned: new RegExp(
      `^(${[...POLICY_KINDS, "Service", "HTTPRoute", "GRPCRoute", "ExternalWorkload"].join("|")}) `,
    ),
    judge: (set, nowMs) => {
      const judge = new PolicyJudge(set, nowMs);
      return (object, now) => {
        const conditions = policyStatus(object, judge, now);
        return conditions === null ? null : { conditions };
      };
    },
    everyMs: LOOK_MS,
  });
}
