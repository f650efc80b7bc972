"""A DynamoDB and a KMS on this machine, over real TCP, that fail as they are told to.

Each speaks as much of its JSON protocol as an authorizer uses: `GetItem` and `Decrypt`. A fault is
a function that answers one request, so faults combine. A connection that a fault holds stays held
when the fault has ended, as that of a host which died does.
"""

import base64
import json
import os
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.support.builders import MadeKey
from tests.support.items import item_of_record, on_the_wire
from tests.support.patience import PATIENCE_SECONDS

DRIP_SECONDS: Final = 0.3
AT_ONCE: Final = struct.pack("ii", 1, 0)
"""`SO_LINGER` that makes closing a connection reset it."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} X"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


def json_reply(value: object, status: int = 200) -> Reply:
    """Return an answer as AWS's JSON protocols give it, checksum and all."""
    return raw_reply(json.dumps(value).encode(), status)


def raw_reply(body: bytes, status: int = 200) -> Reply:
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-crc32": str(zlib.crc32(body)),
        "content-length": str(len(body)),
    }
    return Reply(body, status, headers)


class HangUp(Exception):  # noqa: N818 - a state
    """The connection ends here."""


@dataclass(frozen=True)
class Exchange:
    """One request, and the connection to answer it on."""

    connection: socket.socket
    request: Json
    answer: Reply
    stopping: threading.Event

    def send(self, reply: Reply) -> None:
        self.connection.sendall(reply.head() + reply.body)

    def drip(self, octets: bytes) -> None:
        for octet in octets:
            self.connection.sendall(bytes([octet]))
            if self.stopping.wait(DRIP_SECONDS):
                raise HangUp


Fault = Callable[[Exchange], None]


def well(exchange: Exchange) -> None:
    exchange.send(exchange.answer)


def slow(seconds: float) -> Fault:
    def act(exchange: Exchange) -> None:
        exchange.stopping.wait(seconds)
        exchange.send(exchange.answer)

    return act


def dripping_head(exchange: Exchange) -> None:
    exchange.drip(exchange.answer.head() + exchange.answer.body)


def dripping_body(exchange: Exchange) -> None:
    exchange.connection.sendall(exchange.answer.head())
    exchange.drip(exchange.answer.body)


def dripping_for(seconds: float) -> Fault:
    """Send a byte now and then, for so long, and then the rest."""

    def act(exchange: Exchange) -> None:
        octets = exchange.answer.head() + exchange.answer.body
        few = int(seconds / DRIP_SECONDS)
        exchange.drip(octets[:few])
        exchange.connection.sendall(octets[few:])

    return act


def silent(exchange: Exchange) -> None:
    exchange.stopping.wait()
    raise HangUp


def resetting(exchange: Exchange) -> None:
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    raise HangUp


def cutting_off(exchange: Exchange) -> None:
    half = len(exchange.answer.body) // 2
    exchange.connection.sendall(exchange.answer.head() + exchange.answer.body[:half])
    raise HangUp


def with_length(difference: int) -> Fault:
    """Tell another length than that of the body, and hang up after it."""

    def act(exchange: Exchange) -> None:
        length = str(len(exchange.answer.body) + difference)
        headers = {**exchange.answer.headers, "content-length": length}
        exchange.send(replace(exchange.answer, headers=headers))
        raise HangUp

    return act


def answering(reply: Reply) -> Fault:
    def act(exchange: Exchange) -> None:
        exchange.send(reply)

    return act


def failing(code: str, status: int = 400) -> Fault:
    return answering(json_reply({"__type": f"com.amazonaws#{code}", "message": code}, status))


def garbled(exchange: Exchange) -> None:
    """Change one character of a hash or a plaintext; the checksum is that of the right body."""
    body = re.sub(
        rb'(secret_hash": {"B|Plaintext)(": ")(.)', _other_character, exchange.answer.body
    )
    exchange.send(replace(exchange.answer, body=body))


def _other_character(found: re.Match[bytes]) -> bytes:
    return found[1] + found[2] + (b"B" if found[3] == b"A" else b"A")


def changing(change: Callable[[Json], object]) -> Fault:
    """Answer what `change` makes of the right answer, as if that were right."""

    def act(exchange: Exchange) -> None:
        answer = json.loads(exchange.answer.body)
        exchange.send(json_reply(change(answer)))

    return act


def with_attribute(name: str, value: object) -> Fault:
    """Answer an item, if there is one, with another value of an attribute; `None` drops it."""

    def change(answer: Json) -> Json:
        if "Item" in answer:
            item = {**answer["Item"], name: value}
            answer["Item"] = {key: it for key, it in item.items() if it is not None}
        return answer

    return changing(change)


def hanging_up_after(seconds: float) -> Fault:
    """Answer rightly, and close the connection when it has been idle for so long."""

    def act(exchange: Exchange) -> None:
        exchange.send(exchange.answer)
        exchange.connection.settimeout(seconds)

    return act


def once(fault: Fault) -> Fault:
    """Fail at every key's first request only."""
    met: set[str] = set()

    def act(exchange: Exchange) -> None:
        key = json.dumps(exchange.request, sort_keys=True)
        chosen = well if key in met else fault
        met.add(key)
        chosen(exchange)

    return act


def for_keys(fault: Fault, *keys: MadeKey) -> Fault:
    """Fail at the reads of these keys only."""
    key_ids = {made.key_id for made in keys}

    def act(exchange: Exchange) -> None:
        chosen = fault if exchange.request["Key"]["key_id"]["S"] in key_ids else well
        chosen(exchange)

    return act


class FaultyService:
    """One service, at a port of its own that stays the same."""

    def __init__(self, answer: Callable[[Json], Reply]) -> None:
        self.fault: Fault = well
        self.requests: list[Json] = []
        self._answer = answer
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._stranded: set[socket.socket] = set()
        self._port = 0
        self._listener: socket.socket | None = None
        self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=512)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def refuse(self) -> None:
        """Close the port and all connections."""
        if self._listener is not None:
            # Closing alone does not wake the thread that accepts.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.hang_up()

    def recover(self) -> None:
        """Listen again, if the port was closed; what hung goes on hanging."""
        if self._listener is None:
            self.listen()

    def strand(self) -> None:
        """Answer nothing any more on the connections that are open now."""
        self._stranded |= self._connections

    def hang_up(self) -> None:
        """Close all connections, idle ones included."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._stopping.set()
        self.refuse()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError, HangUp), connection.makefile("rb") as reader:
                while request := _read_request(reader):
                    if connection in self._stranded:
                        self._stopping.wait()
                    self.requests.append(request)
                    self.fault(Exchange(connection, request, self._answer(request), self._stopping))
        finally:
            self._connections.discard(connection)


def _read_request(reader: Any) -> Json | None:  # noqa: ANN401 - a file
    """Return the body of the next request; nothing when the client hangs up before its end."""
    length = 0
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = reader.read(length)
    return json.loads(body) if length and len(body) == length else None


@dataclass
class FaultyAws:
    """Both services, with the keys that they hold."""

    keys: dict[str, MadeKey] = field(default_factory=dict)
    dynamodb: FaultyService = field(init=False)
    kms: FaultyService = field(init=False)

    def __post_init__(self) -> None:
        self.dynamodb = FaultyService(self._get_item)
        self.kms = FaultyService(self._decrypt)

    @property
    def environment(self) -> dict[str, str]:
        """What points an authorizer at both, beside its settings."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "AWS_ENDPOINT_URL_KMS": self.kms.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            # Whatever this machine's own files say.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def hold(self, *keys: MadeKey) -> None:
        self.keys.update({made.key_id: made for made in keys})

    def reads_of(self, made: MadeKey) -> int:
        reads = [request for request in self.dynamodb.requests if "Key" in request]
        return [read["Key"]["key_id"]["S"] for read in reads].count(made.key_id)

    def decryptions_of(self, made: MadeKey) -> int:
        return [request["EncryptionContext"]["keyId"] for request in self.kms.requests].count(
            made.key_id
        )

    def stop(self) -> None:
        self.dynamodb.stop()
        self.kms.stop()

    def _get_item(self, request: Json) -> Reply:
        if "Key" not in request:
            return json_reply({})
        made = self.keys.get(request["Key"]["key_id"]["S"])
        return json_reply(
            {} if made is None else {"Item": on_the_wire(item_of_record(made.record))}
        )

    def _decrypt(self, request: Json) -> Reply:
        sealed = base64.b64decode(request["CiphertextBlob"])
        made = self.keys[request["EncryptionContext"]["keyId"]]
        previous = made.record.previous
        known = {made.record.secret_ciphertext}
        known |= set() if previous is None else {previous.secret_ciphertext}
        if sealed not in known:
            return json_reply({"__type": "InvalidCiphertextException"}, 400)
        plaintext = sealed.removeprefix(b"sealed ")
        return json_reply({"KeyId": request["KeyId"], "Plaintext": _base64(plaintext)})


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


@contextmanager
def faulty_aws(*keys: MadeKey) -> Iterator[FaultyAws]:
    """Serve both services, in good health, until the context ends."""
    with ExitStack() as stack:
        aws = FaultyAws()
        stack.callback(aws.stop)
        aws.hold(*keys)
        yield aws


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once the condition holds.

    Raises:
        TimeoutError: when it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
