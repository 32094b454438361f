import { expect, test } from "bun:test";
import { UsageError } from "../../../src/base/error.ts";
import { chooseServices, endpointsTable } from "./endpoints.ts";

const ports = [{ port: 80, protocol: "http", endpoints: ["10.0.0.1:8080", "10.0.0.2:8080"] }];
const SERVICES = [
  { service: "shop/web", addresses: ["10.1.0.1"], ports },
  { service: "shop/db", addresses: [], ports: [{ port: 5432, protocol: "opaque", endpoints: [] }] },
  { service: "mail/web", addresses: ["10.1.0.2"], ports },
];
const names = (...words: string[]) => (namespace: string | null) =>
  chooseServices(SERVICES, words, namespace).map(({ service }) => service);

test("Services are chosen by name, with and without a namespace", () => {
  expect(names()("shop")).toEqual(["shop/web", "shop/db"]);
  expect(names()(null)).toHaveLength(3);
  expect(names("web")("shop")).toEqual(["shop/web"]);
  expect(names("svc/web")(null)).toEqual(["shop/web", "mail/web"]);
  expect(names("web.mail", "db")("shop")).toEqual(["mail/web", "shop/db"]);
  expect(names("web.mail.svc.cluster.local")("shop")).toEqual(["mail/web"]);
});

test("a name that means nothing is told, with the nearest", () => {
  expect(() => names("wbe")("shop")).toThrow(
    new UsageError('the controller knows no Service "wbe"; did you mean web?'),
  );
  expect(() => names("db.mail")("shop")).toThrow(UsageError);
});

test("the table has a line for each port", () => {
  const many = Array.from({ length: 9 }, (_, at) => `10.0.0.${at}:80`);
  const service = { service: "a/b", addresses: ["10.1.0.9"], ports: [{ port: 80, protocol: "http", endpoints: many }] };
  expect(endpointsTable([...SERVICES.slice(1, 2), service]).split("\n")).toEqual([
    "SERVICE  PORT  PROTOCOL  ADDRESSES  ENDPOINTS",
    "shop/db  5432  opaque    headless   none",
    `a/b      80    http      10.1.0.9   ${many.slice(0, 6).join(",")} +3`,
    "",
  ]);
  expect(endpointsTable([])).toBe("no Services there\n");
});
