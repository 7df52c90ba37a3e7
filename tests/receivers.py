"""A local service that takes alerts over HTTP, as Apprise's json:// sends them; it fails, hangs or is away on demand.

The rule: no test logic. `got` has what was delivered, in its order.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """`fails`: so many requests are answered with 500. `hold` set to clear: answers wait for it."""

    def __init__(self, port: int = 0) -> None:
        self.got: list[str] = []
        self.asked = 0
        self.fails = 0
        self.hold = threading.Event()
        self.hold.set()
        self.came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(receiver.take(content))
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(receiver.take({"message": f"GET {self.path}"}))
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """As Apprise writes it, with something that must be nowhere else."""
        return f"json://user:topsecret@127.0.0.1:{self.port}/"

    @property
    def lines(self) -> list[str]:
        """Of all messages."""
        return [line for message in self.got for line in message.splitlines()]

    def take(self, content: dict[str, Any]) -> int:
        """The status of the answer."""
        with self.came:
            self.asked += 1
            self.came.notify_all()
            if self.fails > 0:
                self.fails -= 1
                return 500
        self.hold.wait(300)
        with self.came:
            self.got.append(content["message"])
            self.came.notify_all()
        return 200

    def wait_for(self, count: int) -> list[str]:
        """Until so many lines came."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.lines) >= count, 300), self.lines
        return self.lines

    def wait_until_asked(self, count: int) -> None:
        """Until so many requests came."""
        with self.came:
            assert self.came.wait_for(lambda: self.asked >= count, 300)

    def close(self) -> None:
        """Nobody listens any more."""
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Until the block ends."""
    made = Receiver(port)
    try:
        yield made
    finally:
        made.close()
