"""A database of known vulnerabilities on this machine, which answers as osv.dev does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final

from keyscope_local.emulators.listening_program import LOOPBACK

ADVISORY: Final = "PYSEC-0000-1"
_ABOUT: Final = {"id": ADVISORY, "modified": "2026-01-01T00:00:00Z"}


@dataclass
class Advisories:
    """A database of vulnerabilities, as OSV's, that knows one package."""

    vulnerable: str
    url: str = ""
    asked: set[tuple[str, str]] = field(default_factory=set)
    """The packages asked for, each with its version."""


@contextmanager
def serving(advisories: Advisories) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            vulnerable = advisories.vulnerable
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked = [(each["package"]["name"], each["version"]) for each in body["queries"]]
            advisories.asked.update(asked)
            known: dict[str, object] = {"vulns": [_ABOUT]}
            self.answer({"results": [known if name == vulnerable else {} for name, _ in asked]})

        def do_GET(self) -> None:
            self.answer({**_ABOUT, "summary": "Made up"})

        def answer(self, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with HTTPServer((LOOPBACK, 0), Handler) as server:
        advisories.url = f"http://{LOOPBACK}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
