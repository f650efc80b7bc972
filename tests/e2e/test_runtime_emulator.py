"""A tiny handler through the real Lambda Runtime Interface Emulator."""

import os
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from keyscope_local.emulators import runtime_emulator as module
from keyscope_local.emulators.runtime_emulator import (
    EmulatedFunction,
    EmulatorError,
    RuntimeEmulator,
    executable_copy,
    find_emulator,
    runtime_emulator,
)
from tests.support.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.processes

HANDLER = """
import os
import subprocess
import time

count = 0
print("cold start")

def handler(event, context):
    global count
    count += 1
    print("asked", event)
    if "raise" in event:
        raise Exception(event["raise"])
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "exit" in event:
        os._exit(event["exit"])
    if "environment" in event:
        return dict(os.environ)
    if "child" in event:
        return subprocess.Popen(["sleep", "60"]).pid
    return {"count": count, "event": event, "function": context.function_name}
"""


def _ends(process_id: int) -> bool:
    """Wait for a process to end; its parent may not have taken note of it yet."""
    stat = Path("/proc") / str(process_id) / "stat"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def function(tmp_path: Path) -> EmulatedFunction:
    (tmp_path / "app.py").write_text(HANDLER)
    return EmulatedFunction(
        tmp_path,
        {"AWS_LAMBDA_FUNCTION_NAME": "tiny", "SETTING": "from the template"},
        timeout_seconds=1,
        cold_start_seconds=1,
    )


@pytest.fixture
def emulator(function: EmulatedFunction) -> Iterator[RuntimeEmulator]:
    with runtime_emulator(function) as running:
        yield running


def test_the_answer_is_the_handlers(emulator: RuntimeEmulator) -> None:
    invocation = emulator.invoke({"name": "Zoë"})
    assert not invocation.error
    assert invocation.payload == {"count": 1, "event": {"name": "Zoë"}, "function": "tiny"}


def test_one_container_serves_many_invocations(emulator: RuntimeEmulator) -> None:
    answers = [emulator.invoke({}).payload for _ in range(3)]
    assert answers == [{"count": count, "event": {}, "function": "tiny"} for count in (1, 2, 3)]


def test_the_log_holds_the_lines_of_its_own_invocation(emulator: RuntimeEmulator) -> None:
    first, second = emulator.invoke({"a": 1}), emulator.invoke({"b": 2})
    assert "cold start\nasked {'a': 1}\n" in first.log
    assert "asked {'b': 2}\n" in second.log
    assert "{'a': 1}" not in second.log


def test_an_exception_is_an_error_with_its_message(emulator: RuntimeEmulator) -> None:
    invocation = emulator.invoke({"raise": "Unauthorized"})
    assert invocation.error
    assert isinstance(invocation.payload, dict)
    assert invocation.payload["errorMessage"] == "Unauthorized"
    assert invocation.payload["errorType"] == "Exception"


def test_an_answer_that_mentions_an_error_is_no_error(emulator: RuntimeEmulator) -> None:
    assert not emulator.invoke({"errorMessage": "told by the caller"}).error


def test_the_time_limit_holds_and_the_next_invocation_works(emulator: RuntimeEmulator) -> None:
    late, next_one = emulator.invoke({"sleep": 3}), emulator.invoke({})
    assert late.error
    assert late.payload == {"errorMessage": "Task timed out after 2.00 seconds"}
    assert next_one.payload == {"count": 1, "event": {}, "function": "tiny"}


def test_a_runtime_that_dies_is_an_error_and_is_replaced(emulator: RuntimeEmulator) -> None:
    died, next_one = emulator.invoke({"exit": 3}), emulator.invoke({})
    assert died.error
    assert isinstance(died.payload, dict)
    assert died.payload["errorType"] == "Runtime.ExitError"
    assert next_one.payload == {"count": 1, "event": {}, "function": "tiny"}


def test_invocations_at_the_same_time_take_turns(emulator: RuntimeEmulator) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = list(pool.map(lambda _: emulator.invoke({"sleep": 0.05}), range(8)))
    assert [answer.error for answer in answers] == [False] * 8


def test_the_function_sees_its_own_environment_and_none_of_this_process(
    function: EmulatedFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "someones")
    with runtime_emulator(function) as running:
        environment = running.invoke({"environment": True}).payload
    assert isinstance(environment, dict)
    assert environment["SETTING"] == "from the template"
    assert environment["_HANDLER"] == "app.handler"
    assert "AWS_PROFILE" not in environment


def test_layers_can_be_imported(tmp_path: Path) -> None:
    code, layer = tmp_path / "code", tmp_path / "layer"
    code.mkdir()
    layer.mkdir()
    (layer / "shared_words.py").write_text("GREETING = 'hello'")
    (code / "main.py").write_text(
        "from shared_words import GREETING\ndef greet(event, context):\n    return GREETING\n"
    )
    function = EmulatedFunction(code, {}, python_path=[layer], handler="main.greet")
    with runtime_emulator(function) as running:
        assert running.invoke({}).payload == "hello"


def test_a_handler_that_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise RuntimeError('KEYSCOPE_KEYS_TABLE is not set')")
    with runtime_emulator(EmulatedFunction(tmp_path, {})) as running:
        invocation = running.invoke({})
    assert invocation.error
    assert "KEYSCOPE_KEYS_TABLE is not set" in str(invocation.payload)


def test_nothing_is_left_running_not_even_what_the_handler_started(
    function: EmulatedFunction,
) -> None:
    with runtime_emulator(function) as running:
        process_id = running.invoke({"child": True}).payload
    assert isinstance(process_id, int)
    assert _ends(process_id)


def test_nothing_is_left_running_when_the_emulator_crashed(function: EmulatedFunction) -> None:
    with runtime_emulator(function) as running:
        process_id = running.invoke({"child": True}).payload
        assert isinstance(process_id, int)
        os.kill(os.getsid(process_id), 9)
        with pytest.raises(EmulatorError, match="did not respond"):
            running.invoke({})
    assert _ends(process_id)


def test_an_emulator_that_ends_at_once_is_told_with_its_log(
    function: EmulatedFunction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho cannot bind\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setattr(module, "find_emulator", lambda: broken)
    with (
        pytest.raises(EmulatorError, match=r"(?s)status 7.*cannot bind"),
        runtime_emulator(function),
    ):
        pass


def test_a_program_without_its_execute_bit_is_copied_to_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)
    copies = [executable_copy(program), executable_copy(program)]
    assert copies[0] == copies[1]
    assert copies[0].is_relative_to(tmp_path / "cache" / "keyscope")
    assert copies[0].read_text() == "#!/bin/sh\n"
    assert os.access(copies[0], os.X_OK)
    assert list(copies[0].parent.iterdir()) == [copies[0]]


@pytest.mark.parametrize(
    ("machine", "program"),
    [
        pytest.param("x86_64", "aws-lambda-rie-x86_64", id="x86-64"),
        pytest.param("aarch64", "aws-lambda-rie-arm64", id="arm64"),
    ],
)
def test_the_program_is_that_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, machine: str, program: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert find_emulator().name == program


@pytest.mark.parametrize(
    ("system", "machine"),
    [pytest.param("Darwin", "arm64", id="macOS"), pytest.param("Linux", "riscv64", id="RISC-V")],
)
def test_a_platform_without_an_emulator_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(
        module, "platform", SimpleNamespace(system=lambda: system, machine=lambda: machine)
    )
    with pytest.raises(EmulatorError, match="sam local invoke"):
        find_emulator()
