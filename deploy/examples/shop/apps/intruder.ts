/** A process without an identity that tries what it is not allowed to do: read the catalogue, talk to Redis. */

/** Slow enough not to matter, often enough to be seen in the metrics. */
const EVERY_MS = 2_000;
const WAIT_MS = 1_500;

async function askCatalogue(): Promise<string> {
  try {
    const response = await fetch("http://catalogue:50051/", { signal: AbortSignal.timeout(WAIT_MS) });
    return `${response.status} ${(await response.text()).trim()}`;
  } catch (error) {
    return String(error);
  }
}

function askRedis(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve("no answer"), WAIT_MS);
  let answer = "";
  Bun.connect({
    hostname: "redis",
    port: 6379,
    socket: {
      open: (socket) => void socket.write("PING\r\n"),
      data: (_, bytes) => void (answer += bytes.toString().trim()),
      close: (_, error) =>
        resolve(answer === "" ? `closed without a word${error ? ` (${error.message})` : ""}` : answer),
      connectError: (_, error) => resolve(String(error)),
    },
  }).catch((error) => resolve(String(error)));
  return promise.finally(() => clearTimeout(timer));
}

for (;;) {
  console.log(`catalogue: ${await askCatalogue()}`);
  console.log(`redis: ${await askRedis()}`);
  await Bun.sleep(EVERY_MS);
}
