/** What a decision costs with many routes and policies: conditions looked at, which unlike time can be counted. */
import { expect, test } from "bun:test";
import type { HttpMatch } from "../../model/http_match.ts";
import type { Network } from "../../model/inbound.ts";
import type { IpBlock } from "../../model/ip.ts";
import { authorizeRequest } from "../policy/authorize.ts";
import { CLIENT, manyRoutes, type Material, PLAIN, requestFor, type Shape, SHAPES } from "./policy_cost_fixture.ts";

const REQUESTS = 200;

/** Counts each look at a part of a match, and at a network. */
class Looks implements Material {
  count = 0;

  match(parts: Partial<HttpMatch>): HttpMatch {
    const whole = PLAIN.match(parts);
    const look = <T>(value: T): T => {
      this.count++;
      return value;
    };
    return {
      get path() {
        return look(whole.path);
      },
      get headers() {
        return look(whole.headers);
      },
      get query() {
        return look(whole.query);
      },
      get method() {
        return look(whole.method);
      },
    };
  }

  network(block: IpBlock): Network {
    const look = () => this.count++;
    return {
      get block() {
        look();
        return block;
      },
      except: [],
    };
  }
}

/** Looks per request of a client that has made a request of each route before; no header block is seen twice. */
function looksPerRequest(shape: Shape, routes: number, policies: number): { cold: number; warm: number } {
  const looks = new Looks();
  const port = manyRoutes(shape, routes, policies, looks);
  const ask = (at: number) => {
    expect(authorizeRequest(port, CLIENT, requestFor(shape, at)).route?.name).toBe(`route-${at}`);
  };
  ask(0); // compiles what is compiled late, and asks the Server's policies about the client
  looks.count = 0;
  ask(1);
  const cold = looks.count;
  const asked = Array.from({ length: REQUESTS }, (_, at) => (at * 7919) % routes);
  asked.forEach(ask);
  looks.count = 0;
  asked.forEach(ask);
  return { cold, warm: looks.count / REQUESTS };
}

test.each(Object.entries(SHAPES))(
  "a request looks at no more conditions among 1000 routes and 500 policies than among 10: %s",
  (_name, shape) => {
    const few = looksPerRequest(shape, 10, 10);
    const many = looksPerRequest(shape, 1000, 500);
    expect(many.warm).toBeLessThanOrEqual(few.warm);
    expect(many.cold).toBeLessThanOrEqual(few.cold);
    expect(few.warm).toBeLessThan(16);
  },
);
