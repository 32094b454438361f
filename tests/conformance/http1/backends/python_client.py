"""http.client. Lines "ID METHOD" in; out: ID, and for each of two requests on one connection "status seen bytes"."""
import http.client
import sys
import threading

port = int(sys.argv[1])


def ask(connection, method, path):
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        return f"{response.status} {response.headers.get('x-seen', '-')} {len(body)}"
    except Exception:
        connection.close()
        return "error"


def serve(number, method):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    first = ask(connection, method, f"/replay/{number}")
    second = ask(connection, "GET", "/probe")
    connection.close()
    sys.stdout.write(f"{number}\t{first}\t{second}\n")
    sys.stdout.flush()


for line in sys.stdin:
    threading.Thread(target=serve, args=line.split()).start()
