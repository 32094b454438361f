/** Conditions of our own kinds. */
import { nextFaultEndMs, PolicyJudge } from "../index/policy_status.ts";
import { POLICY_KINDS } from "../kube/resources.ts";
import { MAX_ALARM_MS } from "./_alarm.ts";
import { policyStatus } from "./_policy_statuses.ts";
import { type StatusOptions, StatusWriter } from "./status_writer.ts";

/** A Server that a new pod puts beside another is told so much later, milliseconds. */
const LOOK_MS = MAX_ALARM_MS;

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
    nextMs: nextFaultEndMs,
  });
}
