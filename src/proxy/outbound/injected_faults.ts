/** Spoils requests as FaultInjections want it, before they go anywhere. */
import type { Fault } from "../../model/fault.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { chooseFault, faultFailure } from "../exchange/fault.ts";
import { throttle } from "../exchange/throttled_leg.ts";
import type { OutboundHttpObserver } from "../observe/observe.ts";

export class InjectedFaults {
  readonly #self: { readonly identity: string };
  readonly #observer: Pick<OutboundHttpObserver, "onFault">;
  /** What becomes of requests once their delay is over. */
  readonly #delayed = new WeakMap<Exchange, Fault>();

  /** @param self whose requests these are: a fault may be for some callers alone */
  constructor(self: { readonly identity: string }, observer: Pick<OutboundHttpObserver, "onFault">) {
    this.#self = self;
    this.#observer = observer;
  }

  /** Injects a fault, if one is for this request. @returns true when the request does not go on now */
  spoil(exchange: Exchange, faults: readonly Fault[]): boolean {
    const fault = chooseFault(faults, this.#self.identity, Date.now(), () => exchange.context.random());
    if (fault === null) return false;
    this.#observer.onFault(fault);
    throttle(exchange, fault);
    if (fault.delayMs === 0) return abort(exchange, fault);
    this.#delayed.set(exchange, fault);
    exchange.pause(fault.delayMs);
    return true;
  }

  /** A pause of the request is over. @returns true when that was its delay, and it ends now */
  resume(exchange: Exchange): boolean {
    const fault = this.#delayed.get(exchange);
    this.#delayed.delete(exchange);
    return fault !== undefined && abort(exchange, fault);
  }
}

/** Ends the request if the fault says so. @returns whether it did */
function abort(exchange: Exchange, fault: Fault): boolean {
  const failure = faultFailure(fault);
  if (failure !== null) exchange.fail(failure);
  return failure !== null;
}
