"""A small HTTP service for tests of the stack: notes each request in a file before it answers.

Arguments: name, port, file for the notes. The first request for a path below ``/first-hangs/`` is never answered.
With the variable ``SLOW_STOP`` it notes SIGTERM and takes a second to obey.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME, PORT, NOTES = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def note(text: str) -> int:
    """Append a line; return how often it is there, whichever instance wrote it."""
    with NOTES.open("a") as file:
        file.write(f"{text}\n")
    return [line.split(" by ")[0] for line in NOTES.read_text().splitlines()].count(text.split(" by ", maxsplit=1)[0])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        count = note(f"{self.command} {self.path} by {NAME}")
        if self.path.startswith("/first-hangs/") and count == 1:
            time.sleep(60)
        if self.path == "/unwell":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        answer = f"{NAME} {self.headers.get('X-Request-Id')} {len(body)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        pass


def stop_slowly(number: int, frame: object) -> None:
    note("SIGTERM")
    time.sleep(1)
    os._exit(0)


if "SLOW_STOP" in os.environ:
    signal.signal(signal.SIGTERM, stop_slowly)
sys.stderr.write(f"{NAME} listens on {PORT}\n")
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
