/** Tokens of ServiceAccounts, as the API server judges them: bound to our audience and to a living pod. */
import { errorText } from "../../src/base/error.ts";
import { ApiError } from "../api/api_error.ts";
import type { KubeClient } from "../api/client.ts";
import { TYPES } from "../api/resource_type.ts";
import { TOKEN_AUDIENCE } from "../core/cluster_names.ts";
import type { Refusal, TokenSource, TokenSubject } from "../core/issuing.ts";

/** Longest token, characters: projected ones have about 1 000. */
const MAX_TOKEN_LENGTH = 8192;
const SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:";
/** Key of the reviewed user's extra under which a bound token names its pod. */
const POD_NAME = "authentication.kubernetes.io/pod-name";

/** `status` of a TokenReview, as far as we read it. */
interface ReviewStatus {
  readonly authenticated?: boolean;
  readonly audiences?: readonly string[];
  readonly error?: string;
  readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
}

export class TokenReviews implements TokenSource {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async check(token: string): Promise<TokenSubject | Refusal> {
    if (token.length === 0 || token.length > MAX_TOKEN_LENGTH) return refused("found no token of a ServiceAccount");
    let status: ReviewStatus;
    try {
      const review = await this.#client.create(TYPES.TokenReview, null, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token, audiences: [TOKEN_AUDIENCE] },
      });
      status = (review["status"] ?? {}) as ReviewStatus; // the API's word for it
    } catch (error) {
      const retry = error instanceof ApiError && !error.isRetryable ? "; check the controller's ClusterRole" : "";
      return { code: "unavailable", detail: `the API server cannot review the token now: ${errorText(error)}${retry}` };
    }
    return readReview(status);
  }
}

/** What a review says. Pure. */
function readReview(status: ReviewStatus): TokenSubject | Refusal {
  if (status.authenticated !== true) {
    return refused(`the API server does not accept the token: ${status.error ?? "it is invalid, expired or revoked"}`);
  }
  // A server that knows nothing of audiences would accept any token it ever issued.
  if (status.audiences?.includes(TOKEN_AUDIENCE) !== true) {
    return refused(`the token is not for the audience ${TOKEN_AUDIENCE}`);
  }
  const name = status.user?.username ?? "";
  const [namespace, serviceAccount] = name.startsWith(SERVICE_ACCOUNT_PREFIX)
    ? name.slice(SERVICE_ACCOUNT_PREFIX.length).split(":")
    : [];
  if (namespace === undefined || serviceAccount === undefined) {
    return refused(`the token is of "${name.slice(0, 80)}", want a ServiceAccount`);
  }
  return { namespace, serviceAccount, workload: status.user?.extra?.[POD_NAME]?.[0] ?? "" };
}

function refused(detail: string): Refusal {
  return { code: "unauthenticated", detail };
}
