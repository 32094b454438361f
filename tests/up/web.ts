/** A web server for the tests: says which replica answers. Without TULLE_REPLICA it is a client that calls one, again and again. */
const [role] = process.argv.slice(2);

if (role === "serve") {
  Bun.serve({ port: 8000, fetch: () => new Response(`replica ${process.env["TULLE_REPLICA"]}\n`) });
  console.log("serving");
} else {
  for (;;) {
    const answer = await fetch(process.env["TARGET"] ?? "http://web/").then(
      (it) => it.text(),
      (error) => String(error),
    );
    console.log(answer.trim());
    await Bun.sleep(50);
  }
}

export {};
