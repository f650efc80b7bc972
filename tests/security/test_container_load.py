"""One container of an authorizer, in Lambda's own runtime, decides rightly and does not grow.

The runtime emulator takes one invocation at a time, as a container does.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from keyscope.access.policy_evaluation import AccessRequest, Verdict, evaluate
from keyscope_local.emulators.embedded_aws import EmbeddedAws, embedded_aws
from keyscope_local.emulators.runtime_emulator import Invocation, RuntimeEmulator
from keyscope_local.gateway.authorization import ACTION, UNAUTHORIZED_MESSAGE, read_result
from keyscope_local.invoke import emulated_function, provisioning_environment
from keyscope_local.tour.seed import local_provisioning, seed
from tests.support.builders import rest_request_event
from tests.support.footprint import growth_of, sampled, trend_of
from tests.support.load import Load
from tests.support.load_figures import figures
from tests.support.mixed_calls import Case, bad_cases, good_cases
from tests.support.profile import FULL, LOAD_SECONDS
from tests.support.report import Report
from tests.support.stacks import stack_of

pytestmark = pytest.mark.load

API: Final = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod"
SOURCE_ADDRESS: Final = "192.0.2.7"
KEYS_CACHED_SECONDS: Final = (30, 0) if FULL else (30,)


@dataclass(frozen=True)
class Container:
    """A running container: its process, and what to ask it."""

    emulator: RuntimeEmulator
    process_id: int
    cases: list[Case]


@pytest.fixture(params=KEYS_CACHED_SECONDS, ids="keys cached {} s".format)
def container(request: pytest.FixtureRequest) -> Iterator[Container]:
    parameters = {"KeyCacheSeconds": str(request.param), "KeyCacheEntries": "30"}
    stack = stack_of(parameters)
    with embedded_aws(stack) as aws:
        operations = local_provisioning(provisioning_environment(stack, aws))
        store, stranger = seed(operations), seed(operations)
        cases = [*good_cases(store, stranger.app_id), *bad_cases(store)]
        with emulated_function(stack, "RestAuthorizerFunction", aws) as emulator:
            emulator.invoke({})
            yield Container(emulator, runtime_of(aws), cases)


def test_a_container_decides_rightly_for_many_callers_and_nothing_leaks(
    container: Container, report: Report, request: pytest.FixtureRequest
) -> None:
    warm_up = ask(container, LOAD_SECONDS / 3)
    with sampled(container.process_id) as samples:
        done = ask(container, LOAD_SECONDS)
    trend = trend_of(samples)
    cells = {"settings": request.node.callspec.id, **figures(done, trend, LOAD_SECONDS)}
    report.row("Load on one container in the runtime emulator", **cells)
    assert (warm_up.wrong, done.wrong) == ([], [])
    assert growth_of(trend) == []


def ask(container: Container, seconds: float) -> Load:
    done = Load()
    ends_at = time.monotonic() + seconds
    for case in cycle(container.cases):
        if time.monotonic() > ends_at:
            return done
        started = time.perf_counter()
        invocation = container.emulator.invoke(event_of(case))
        done.milliseconds.append((time.perf_counter() - started) * 1_000)
        done.counts[case.expected, case.kind] += 1
        status = status_of(invocation, case)
        done.wrong.extend([f"{case.kind}: {case.request}: {status}"] * (status != case.expected))
    return done


def event_of(case: Case) -> dict[str, object]:
    values = list(case.authorization())
    headers = {"authorization": values[-1]} if values else {}
    return rest_request_event(
        None,
        headers=headers,
        multiValueHeaders={"authorization": values} if values else {},
    )


def status_of(invocation: Invocation, case: Case) -> int:
    """Return what API Gateway would answer, or 500 for whatever the backend must not be told."""
    payload = invocation.payload
    if invocation.error:
        is_refusal = isinstance(payload, dict) and payload["errorMessage"] == UNAUTHORIZED_MESSAGE
        return 401 if is_refusal else 500
    result = read_result(payload)
    asked = AccessRequest(
        ACTION, f"{API}/{case.request.replace(' ', '')}", time.time(), SOURCE_ADDRESS
    )
    if evaluate(result.policy, asked) is not Verdict.ALLOWED:
        return 403
    return 200 if case.context.items() <= result.context.items() else 500


def runtime_of(aws: EmbeddedAws) -> int:
    """Find the container's Python by the AWS that only it was given."""
    endpoint = f"AWS_ENDPOINT_URL={aws.endpoint_url}\0".encode()
    python = sys.executable.encode()
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        # Other processes end while this looks at them, or are not ours to look at.
        with contextlib.suppress(OSError):
            started = (folder / "cmdline").read_bytes().startswith(python)
            if started and endpoint in (folder / "environ").read_bytes() + b"\0":
                found.append(int(folder.name))
    (process_id,) = found
    return process_id
