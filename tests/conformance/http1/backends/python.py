"""Python's servers as back ends: each names every whole request in X-Seen. Usage: python.py KIND PORT"""
import sys


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
    name = f"{environ['REQUEST_METHOD']} {target} {len(body)}"
    start_response("200 OK", [("X-Seen", name), ("Content-Length", "0")])
    return [b""]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event.get("body", b""))
        if not event.get("more_body"):
            break
    query = scope["query_string"]
    target = (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
    name = f"{scope['method']} {target} {size}".encode("latin-1")
    headers = [(b"x-seen", name), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def run_http_server(port):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            if "transfer-encoding" in self.headers:  # it has no chunked bodies
                self.close_connection = True
                return self.send_error(501)
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                return
            self.send_response(200)
            self.send_header("X-Seen", f"{self.command} {self.path} {length}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def run_uvicorn(port, http):
    import uvicorn

    uvicorn.run(asgi, host="127.0.0.1", port=port, http=http, log_level="critical", lifespan="off", ws="none")


def run_gunicorn(port):
    from gunicorn.app.base import BaseApplication

    class App(BaseApplication):
        def load_config(self):
            options = {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "threads": 16, "keepalive": 10,
                       "loglevel": "critical", "workers": 1}
            for key, value in options.items():
                self.cfg.set(key, value)

        def load(self):
            return wsgi

    App().run()


def run_waitress(port):
    import logging

    import waitress

    logging.disable(logging.CRITICAL)
    waitress.serve(wsgi, host="127.0.0.1", port=port, threads=16, _quiet=True)


def run_aiohttp(port):
    from aiohttp import web

    async def handler(request):
        body = await request.read()
        return web.Response(headers={"X-Seen": f"{request.method} {request.raw_path} {len(body)}"})

    async def main():
        import asyncio

        runner = web.ServerRunner(web.Server(handler))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    import asyncio
    import logging

    logging.disable(logging.CRITICAL)
    asyncio.run(main())


def run_tornado(port):
    import asyncio
    import logging

    from tornado.httpserver import HTTPServer

    logging.disable(logging.CRITICAL)

    def answer(request):
        from tornado.httputil import HTTPHeaders, ResponseStartLine

        name = f"{request.method} {request.uri} {len(request.body)}"
        headers = HTTPHeaders({"X-Seen": name, "Content-Length": "0"})
        request.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)
        request.connection.finish()

    async def main():
        HTTPServer(answer).listen(port, "127.0.0.1")
        await asyncio.Event().wait()

    asyncio.run(main())


RUN = {
    "http.server": run_http_server,
    "h11": lambda port: run_uvicorn(port, "h11"),
    "httptools": lambda port: run_uvicorn(port, "httptools"),
    "gunicorn": run_gunicorn,
    "waitress": run_waitress,
    "aiohttp": run_aiohttp,
    "tornado": run_tornado,
}
RUN[sys.argv[1]](int(sys.argv[2]))
