"""A container that Lambda freezes for longer than its cache may serve, and thaws again.

The handler runs under AWS's own runtime interface client and emulator; its process is stopped and
continued. Meanwhile the connections that it kept open end, one way or the other.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from keyscope.authorize.answer import Unauthorized
from keyscope_local.emulators.runtime_emulator import (
    EmulatedFunction,
    RuntimeEmulator,
    runtime_emulator,
)
from tests.support.builders import MadeKey, make_key, rest_request_event
from tests.support.faulty_aws import FaultyAws, FaultyService, failing, faulty_aws
from tests.support.handlers import REQUIRED

ROOT: Final = Path(__file__).parents[2]
CACHE_SECONDS: Final = 1
STALE_SECONDS: Final = 2
KEPT, REVOKED, NEW = make_key(), make_key(), make_key()

ENDINGS: Final = [
    pytest.param(FaultyService.hang_up, id="connections closed"),
    pytest.param(FaultyService.strand, id="connections dead without a sign"),
]


@dataclass(frozen=True)
class Container:
    """An authorizer's container that has seen two of the keys, and its process."""

    aws: FaultyAws
    emulator: RuntimeEmulator
    process_id: int

    def freeze(self, end: Callable[[FaultyService], None], seconds: float) -> None:
        """Stop the process for so long, end its connections, and revoke a key meanwhile."""
        os.kill(self.process_id, signal.SIGSTOP)
        end(self.aws.dynamodb)
        end(self.aws.kms)
        self.aws.hold(MadeKey(replace(REVOKED.record, revoked_at=1), REVOKED.secret))
        time.sleep(seconds)
        os.kill(self.process_id, signal.SIGCONT)

    def answer(self, authorization: str) -> str:
        """Return `allowed`, or the error that API Gateway would be told."""
        invocation = self.emulator.invoke(rest_request_event(authorization))
        assert isinstance(invocation.payload, dict)
        return "allowed" if not invocation.error else str(invocation.payload["errorMessage"])


@pytest.fixture
def container() -> Iterator[Container]:
    marker = str(uuid4())
    with faulty_aws(KEPT, REVOKED, NEW) as aws:
        function = EmulatedFunction(
            ROOT / "functions/rest_authorizer",
            {
                **REQUIRED,
                **aws.environment,
                "KEYSCOPE_KEY_CACHE_SECONDS": str(CACHE_SECONDS),
                "KEYSCOPE_STALE_SECONDS": str(STALE_SECONDS),
                "CONTAINER": marker,
            },
            python_path=[ROOT / "layers/keyscope/python"],
            timeout_seconds=8,
        )
        with runtime_emulator(function) as emulator:
            for made in (KEPT, REVOKED):
                emulator.invoke(rest_request_event(made.bearer(scope="app")))
            yield Container(aws, emulator, process_of(marker))


def process_of(marker: str) -> int:
    """Return the id of the process that runs the handler: it has the marker, and Python."""
    (found,) = (
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if runs_handler(entry, marker.encode())
    )
    return found


def runs_handler(process: Path, marker: bytes) -> bool:
    try:
        command = (process / "cmdline").read_bytes().split(b"\0")
        environment = (process / "environ").read_bytes()
    except OSError:
        return False
    return marker in environment and command[1:3] == [b"-m", b"awslambdaric"]


@pytest.mark.parametrize("end", ENDINGS)
def test_a_thawed_container_answers_each_first_request_rightly(
    end: Callable[[FaultyService], None], container: Container
) -> None:
    container.freeze(end, CACHE_SECONDS + 0.5)
    answers = {
        "kept key": container.answer(KEPT.basic()),
        "key revoked meanwhile": container.answer(REVOKED.basic()),
        "token of a key not seen": container.answer(NEW.bearer(scope="app")),
    }
    assert answers == {
        "kept key": "allowed",
        "key revoked meanwhile": str(Unauthorized()),
        "token of a key not seen": "allowed",
    }


def test_a_record_that_grew_too_old_in_the_ice_does_not_serve_in_an_outage(
    container: Container,
) -> None:
    container.aws.dynamodb.fault = failing("AccessDeniedException")
    container.freeze(FaultyService.hang_up, STALE_SECONDS + 0.5)
    assert container.answer(KEPT.basic()) == "key_store_unavailable"


def test_a_record_that_is_recent_after_the_ice_serves_in_an_outage(container: Container) -> None:
    container.answer(KEPT.basic())
    container.aws.dynamodb.fault = failing("AccessDeniedException")
    container.freeze(FaultyService.hang_up, 0.1)
    assert container.answer(KEPT.basic()) == "allowed"
