"""An issuer's HTTP server, which answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc.jwk import OKPKey


@dataclass
class Published:
    """What the issuer's server answers now."""

    body: bytes = b""
    status: int = 200
    location: str = ""
    raw: bytes = b""  # the whole answer, instead of the above
    url: str = ""
    drips: threading.Event | None = None  # a byte every now and then after `raw`, until it is set
    meanwhile: Callable[[], object] = lambda: None  # done before the body is sent
    asked: list[str] = field(default_factory=list)

    def publish(self, *keys: OKPKey) -> None:
        self.body = json.dumps({"keys": [key.as_dict(private=True) for key in keys]}).encode()


@contextmanager
def published() -> Iterator[Published]:
    told = Published()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            if told.raw:
                with suppress(OSError):  # who asked may have gone
                    self.wfile.write(told.raw)
                    while told.drips is not None and not told.drips.wait(0.02):
                        self.wfile.write(b" ")
                return
            self.send_response(told.status)
            if told.location:
                self.send_header("location", told.location)
            self.end_headers()
            self.wfile.flush()
            told.meanwhile()
            self.wfile.write(told.body)

        def do_CONNECT(self) -> None:
            told.asked.append(self.path)
            self.send_error(403)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/jwks"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
