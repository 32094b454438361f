import { expect, test } from "bun:test";
import { addListening, listeningPorts } from "./listening_ports.ts";

test("addListening() takes the ports of listening sockets, IPv4 and IPv6", () => {
  const ports = new Set<number>();
  addListening(
    `  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0100007F:0050 0100007F:C350 01 00000000:00000000
   2: 00000000000000000000000000000000:C383 00000000000000000000000000000000:0000 0A 00000000:00000000
`,
    ports,
  );
  expect([...ports]).toEqual([8080, 50051]);
});

test("listeningPorts() sees a listener of this process come and go", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const during = listeningPorts().has(listener.port);
  listener.stop(true);
  expect([during, listeningPorts().has(listener.port)]).toEqual([true, false]);
});
