"""DynamoDB's `GetItem` and KMS's `Decrypt` as canned answers, by a server of its own process.

    python -m benchmarks.canned_aws SCENARIO PORT [CERTIFICATE]

With the file of a key and its certificate, it answers over TLS.

It does the least that a client takes for AWS, so that what is measured is the client. It checks no
signature and knows nothing but the scenario's records.
"""

import json
import re
import socket
import ssl
import sys
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Final

from benchmarks.results import ROOT
from keyscope_local.emulators.listening_program import LOOPBACK, free_ports, listening_program

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_KEY_ID: Final = re.compile(rb"(?:app|int|act|svc)_[0-9a-f]{24}")
_SEALED: Final = re.compile(rb'"CiphertextBlob": ?"([^"]+)"')
_START_SECONDS: Final = 60


@contextmanager
def canned_aws(scenario: Path, certificate: Path | None = None) -> Iterator[str]:
    """Start it, yield its endpoint URL, and end it; with a certificate of localhost, over TLS."""
    (port,) = free_ports(1)
    arguments = [str(scenario), str(port), *([str(certificate)] if certificate else [])]
    program = listening_program(
        [sys.executable, "-m", "benchmarks.canned_aws", *arguments],
        port=port,
        folder=ROOT,
        environment={"PATH": "", "PYTHONPATH": str(ROOT)},
        start_seconds=_START_SECONDS,
    )
    with program:
        yield f"https://localhost:{port}" if certificate else f"http://{LOOPBACK}:{port}"


def answers_of(path: Path) -> Mapping[bytes, bytes]:
    """Return the whole HTTP response for each key id and each sealed secret."""
    scenario = json.loads(path.read_text("utf-8"))
    found = {
        key_id.encode(): _response({"Item": item}) for key_id, item in scenario["items"].items()
    }
    opened = {
        sealed.encode(): _response(
            {
                "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
                "KeyId": "arn:aws:kms:us-east-1:123456789012:key/measured",
                "Plaintext": _base64(secret),
            }
        )
        for sealed, secret in scenario["secrets"].items()
    }
    return {**found, **opened, b"": _response({})}


class _Connection(BaseRequestHandler):
    """One connection, kept open for any number of requests, answered one by one."""

    answers: Mapping[bytes, bytes] = {}

    def handle(self) -> None:
        received = b""
        while True:
            end = received.find(b"\r\n\r\n")
            found = _LENGTH.search(received, 0, end + 2) if end >= 0 else None
            whole = end + 4 + int(found[1]) if found else 0
            if not found or len(received) < whole:
                chunk = self.request.recv(65_536)
                if not chunk:
                    return
                received += chunk
                continue
            body, received = received[end + 4 : whole], received[whole:]
            asked = _SEALED.search(body)
            key_id = _KEY_ID.search(body)
            name = asked[1] if asked else key_id[0] if key_id else b""
            self.request.sendall(self.answers.get(name, self.answers[b""]))


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self.context is None:
            return connection, address
        # The handshake comes with the first read, in the connection's own thread.
        secured = self.context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return secured, address


def _response(body: Mapping[str, object]) -> bytes:
    octets = json.dumps(body, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nConnection: keep-alive\r\n"
        "Content-Type: application/x-amz-json-1.0\r\n"
        "x-amzn-RequestId: MEASUREDMEASUREDMEASUREDMEASUREDMEASUREDMEASUREDMEAS\r\n"
        f"x-amz-crc32: {zlib.crc32(octets)}\r\nContent-Length: {len(octets)}\r\n\r\n"
    )
    return head.encode() + octets


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def main(scenario: str, port: str, certificate: str = "") -> None:
    """Serve until the process is ended."""
    _Connection.answers = answers_of(Path(scenario))
    if certificate:
        _Server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _Server.context.load_cert_chain(certificate)
    with _Server((LOOPBACK, int(port)), _Connection) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
