"""Stand-ins for the commands of ``tocsin`` that `tocsin up` runs, without what those would do.

Run as ``python standin.py COMMAND``; the environment is the one the real commands would get. ``STANDIN_HANG``
names a command that never gets anywhere and ignores SIGTERM.
"""

import json
import os
import secrets
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Is well, and tells its environment."""

    def do_GET(self) -> None:
        known = self.path in ("/healthz", "/readyz", "/environment")
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())


def serve(host: str, port: str) -> None:
    with ThreadingHTTPServer((host, int(port)), Handler) as server:
        server.serve_forever()


def main() -> None:
    command = sys.argv[1]
    print(f"{command} says hello", file=sys.stderr, flush=True)
    if os.environ.get("STANDIN_HANG") == command:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(f"{command} hangs", flush=True)
        while True:
            signal.pause()
    if command == "serve":
        serve(os.environ["TOCSIN_API__HOST"], os.environ["TOCSIN_API__PORT"])
    elif command == "mock-ai":
        serve("127.0.0.1", os.environ["TOCSIN_MOCK_AI__PORT"])
    elif command == "worker":
        signal.pause()
    elif command == "keys":
        print(json.dumps({"name": sys.argv[3], "key": f"tcs_{secrets.token_hex(8)}"}))


if __name__ == "__main__":
    main()
