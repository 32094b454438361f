/** The limits of an exchange that has any, on timers that are made when they are needed. */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { type Failure, failure, unsent } from "../upstream/failure.ts";

/** Kinds of the timers: the whole exchange, one attempt until its response head, and the pause before another one. */
export const REQUEST_TIMEOUT = 0;
export const TRY_TIMEOUT = 1;
export const PAUSE = 2;

export class Deadlines {
  readonly #owner: TimerOwner;
  #request: Timer | null = null;
  #try: Timer | null = null;
  #pause: Timer | null = null;

  /** @param owner its `onTimer` gets the kind */
  constructor(owner: TimerOwner) {
    this.#owner = owner;
  }

  /** Limits the exchange. */
  armRequest(timeoutMs: number): void {
    arm(this.#request ??= new Timer(this.#owner, REQUEST_TIMEOUT), timeoutMs);
  }

  /** Limits the attempt. */
  armTry(timeoutMs: number): void {
    arm(this.#try ??= new Timer(this.#owner, TRY_TIMEOUT), timeoutMs);
  }

  /** Lets some time pass before the next attempt. */
  armPause(pauseMs: number): void {
    arm(this.#pause ??= new Timer(this.#owner, PAUSE), pauseMs);
  }

  disarmTry(): void {
    if (this.#try !== null) disarm(this.#try);
  }

  disarm(): void {
    if (this.#request !== null) disarm(this.#request);
    if (this.#pause !== null) disarm(this.#pause);
    this.disarmTry();
  }
}

/** The time of an exchange is over. @param isClients it was the client that gave it */
export function requestTimeout(isClients: boolean): Failure {
  return isClients
    ? failure("deadline", "the time that the client gave is over (grpc-timeout)")
    : failure("timeout", "the request took longer than its Service or route gives it (timeouts.request)");
}

/** The time of an attempt is over. @param wasWaiting it had not been sent */
export function tryTimeout(wasWaiting: boolean): Failure {
  return wasWaiting
    ? unsent("timeout", "no endpoint could be connected to within the time of a try (timeouts.backendRequest)")
    : failure("timeout", "the endpoint did not answer within the time of a try (timeouts.backendRequest)");
}
