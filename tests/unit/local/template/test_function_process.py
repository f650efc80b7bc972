"""The functions of an attached template: a process each, in Python or in Node.js."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import pytest

from keyscope_local.template.function_failure import FunctionFailed, FunctionNotLoaded
from keyscope_local.template.function_loader import LocalFunction, loaded_functions
from keyscope_local.template.function_output import FunctionOutput
from keyscope_local.template.function_process import FunctionCode, FunctionProcess
from keyscope_local.template.process_state import environment_variables
from keyscope_local.template.stack import load_stack

TEMPLATE: Final = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler, Timeout: 30}}
Resources:
  Slow: {Type: "AWS::Serverless::Function", Properties: {CodeUri: other, Timeout: 2}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      MemorySize: "256"
      Environment: {Variables: {NAME: first, DEBUG: true}}
  Other: {Type: "AWS::Serverless::Function", Properties: {CodeUri: other}}
"""
IN_PYTHON: Final = """
import os, sys, time
import beside
COUNT = 0
def handler(event, context):
    global COUNT
    COUNT += 1
    match event:
        case "environment": return dict(os.environ)
        case "beside": return beside.NAME
        case "count": return COUNT
        case "context": return [
            context.function_name, context.memory_limit_in_mb, context.invoked_function_arn,
            0 < context.get_remaining_time_in_millis() <= 30000, len(context.aws_request_id)]
        case "log": print("a line"); return None
        case "raise": raise ValueError("the text")
        case "exit": sys.exit(3)
        case "sleep": time.sleep(60)
        case "no json": return object()
    return event
"""
IN_JAVASCRIPT: Final = """
import { NAME } from "./beside.mjs";
let count = 0;
export const handler = async (event, context) => {
  count += 1;
  switch (event) {
    case "environment": return process.env;
    case "beside": return NAME;
    case "count": return count;
    case "context": return [
      context.functionName, Number(context.memoryLimitInMB), context.invokedFunctionArn,
      0 < context.getRemainingTimeInMillis() && context.getRemainingTimeInMillis() <= 30000,
      context.awsRequestId.length];
    case "log": console.log("a line"); return null;
    case "raise": throw new RangeError("the text");
    case "exit": process.exit(3);
    case "sleep": await new Promise((resolve) => setTimeout(resolve, 60_000));
    case "no json": return 1n;
  }
  return event;
};
"""
CONTEXT: Final = {
    "functionName": "f",
    "memoryLimitInMB": 128,
    "invokedFunctionArn": "arn",
    "awsRequestId": "id",
}
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="needs node")
IN_NODE: Final = pytest.param("nodejs22.x", id="Node.js", marks=needs_node)


def write_code(folder: Path) -> Path:
    for name in ("code", "other"):
        (folder / name).mkdir()
        (folder / name / "app.py").write_text(IN_PYTHON, "utf-8")
        (folder / name / "app.mjs").write_text(IN_JAVASCRIPT, "utf-8")
        (folder / name / "beside.py").write_text(f"NAME = {name!r}", "utf-8")
        (folder / name / "beside.mjs").write_text(f"export const NAME = {name!r};", "utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_code(tmp_path)


@dataclass(frozen=True)
class Loaded:
    """The functions of an attached template, in one language."""

    functions: Mapping[str, LocalFunction]
    folder: Path
    is_python: bool

    def ask(self, event: object, name: str = "Function") -> Any:  # noqa: ANN401 - JSON
        try:
            return self.functions[name].invoke(event)
        except FunctionFailed as failed:
            return (failed.error_type, failed.error_message)


@pytest.fixture(scope="module", params=[pytest.param("python3.13", id="Python"), IN_NODE])
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    folder = write_code(tmp_path_factory.mktemp("attached"))
    (folder / "template.yaml").write_text(TEMPLATE.replace("python3.13", request.param), "utf-8")
    stack = load_stack(folder / "template.yaml")
    stack = replace(stack, attached=frozenset(stack.resources))
    with (
        environment_variables({"A_SECRET_OF_MINE": "x"}),
        loaded_functions(stack, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}) as functions,
    ):
        yield Loaded(functions, folder, request.param.startswith("python"))


@contextmanager
def running(
    folder: Path, runtime: str = "python3.13", handler: str = "app.handler"
) -> Iterator[FunctionProcess]:
    code = FunctionCode("Function", runtime, folder, handler, {}, timeout_seconds=30)
    process = FunctionProcess(code, FunctionOutput())
    process.start()
    try:
        yield process
    finally:
        process.stop()


def refusal_of(folder: Path, runtime: str = "python3.13", handler: str = "app.handler") -> str:
    with pytest.raises(FunctionNotLoaded) as refused, running(folder, runtime, handler):
        pass
    return str(refused.value)


def answer_in_node(folder: Path, file: str, text: str, event: object) -> object:
    (folder / file).write_text(text, "utf-8")
    with running(folder, "nodejs22.x") as process:
        return process.invoke(event, CONTEXT)


def test_a_function_sees_its_variables_when_it_runs(loaded: Loaded) -> None:
    seen = loaded.ask("environment")
    assert {name: seen[name] for name in ("NAME", "DEBUG", "AWS_ENDPOINT_URL")} == {
        "NAME": "first",
        "DEBUG": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "keyscope-local-Function"
    assert seen["LAMBDA_TASK_ROOT"] == str(loaded.folder / "code")


def test_a_function_sees_no_variable_of_the_person_who_runs_it(loaded: Loaded) -> None:
    seen = loaded.ask("environment")
    assert "A_SECRET_OF_MINE" not in seen
    assert seen["PATH"] == os.environ["PATH"]


def test_modules_of_the_same_name_are_each_function_s_own(loaded: Loaded) -> None:
    assert [loaded.ask("beside", name) for name in ("Function", "Other")] == ["code", "other"]


def test_one_process_serves_every_invocation(loaded: Loaded) -> None:
    assert loaded.ask("count") + 1 == loaded.ask("count")
    assert loaded.ask({"a": [1, None]}) == {"a": [1, None]}


def test_the_context_is_lambda_s(loaded: Loaded) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:keyscope-local-Function"
    assert loaded.ask("context") == ["keyscope-local-Function", 256, arn, True, 36]


def test_a_failure_is_told_as_lambda_does_and_the_function_serves_on(loaded: Loaded) -> None:
    before = loaded.ask("count")
    kind = "ValueError" if loaded.is_python else "RangeError"
    assert loaded.ask("raise") == (kind, "the text")
    assert loaded.ask("no json")[0] == "TypeError"
    assert loaded.ask("count") == before + 3


def test_a_function_that_ends_its_process_fails_and_is_started_again(loaded: Loaded) -> None:
    assert loaded.ask("exit") == ("Runtime.ExitError", "Runtime exited with status 3")
    assert loaded.ask("count") == 1


def test_a_function_that_takes_longer_than_its_time_limit_fails_and_is_started_again(
    loaded: Loaded,
) -> None:
    assert loaded.ask("sleep", "Slow") == (
        "Sandbox.Timedout",
        "Task timed out after 2.00 seconds",
    )
    assert loaded.ask("count", "Slow") == 1


def test_what_a_function_logs_goes_to_the_run_s_output(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    with loaded.functions["Function"].output.told_to(told.append):
        loaded.ask("log")
        loaded.ask("raise")
        # The end of the process is the end of its output.
        loaded.ask("exit")
    written = capsys.readouterr().out
    assert "a line\n" in told
    assert "a line\n" in written
    # With the traceback, which nothing else shows.
    assert "handler" in written


FAULTS: Final = [
    pytest.param("app.py", "import no_such_module", "ModuleNotFoundError: No module", id="import"),
    pytest.param("app.py", "def handler(", "SyntaxError: '(' was never closed", id="syntax"),
    pytest.param("app.py", "x = 1", "AttributeError: module 'app' has no", id="no handler"),
    pytest.param("app.py", "import sys; sys.exit(4)", "Runtime exited with status 4", id="exit"),
]
NODE_FAULTS: Final = [
    pytest.param("import 'none-such'", "Cannot find package 'none-such'", id="import"),
    pytest.param("export const handler = (", "SyntaxError", id="syntax"),
    pytest.param("export const other = 1", "app.mjs exports no function handler", id="no handler"),
]


@pytest.mark.parametrize(("file", "text", "told"), FAULTS)
def test_a_python_function_that_does_not_load_is_named_with_the_reason(
    file: str, text: str, told: str, folder: Path
) -> None:
    (folder / "code" / file).write_text(text, "utf-8")
    refusal = refusal_of(folder / "code")
    assert refusal.startswith("Function failed to load: ")
    assert told in refusal


@needs_node
@pytest.mark.parametrize(("text", "told"), NODE_FAULTS)
def test_a_node_function_that_does_not_load_is_named_with_the_reason(
    text: str, told: str, folder: Path
) -> None:
    (folder / "code" / "app.mjs").write_text(text, "utf-8")
    refusal = refusal_of(folder / "code", "nodejs22.x")
    assert refusal.startswith("Function failed to load: ")
    assert told in refusal


def test_a_runtime_that_does_not_run_here_is_refused_by_name(folder: Path) -> None:
    assert refusal_of(folder, "java21") == (
        "Function failed to load: the runtime java21 is not supported here; use python* or nodejs*"
    )


@pytest.mark.parametrize(
    ("former", "instead", "told"),
    [
        ("CodeUri: code", "CodeUri: none", "none, which does not exist"),
        ("CodeUri: code", "CodeUri: code/app.py", "app.py, which is not a folder"),
        ("app.handler", "app", "Handler is 'app'; it must be FILE.FUNCTION"),
    ],
)
def test_what_names_no_code_is_refused_with_the_reason(
    former: str, instead: str, told: str, folder: Path
) -> None:
    path = folder / "template.yaml"
    path.write_text(TEMPLATE.replace(former, instead), "utf-8")
    stack = load_stack(path)
    attached = replace(stack, attached=frozenset(stack.resources))
    for each in (stack, attached):
        with pytest.raises(FunctionNotLoaded, match=told), loaded_functions(each, {}):
            pass


def test_without_node_a_node_function_is_refused_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert refusal_of(folder, "nodejs22.x") == (
        "Function failed to load: nodejs22.x requires Node.js, but `node` is not on the PATH"
    )


@needs_node
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("app.js", "exports.handler = async (event) => event;"),
        ("app.cjs", "const all = {handler: async (event) => event}; module.exports = all;"),
        ("app.js", "exports.handler = (event, context, done) => done(null, event);"),
    ],
)
def test_a_node_handler_is_found_and_called_as_lambda_does(
    file: str, text: str, tmp_path: Path
) -> None:
    assert answer_in_node(tmp_path, file, text, {"a": 1}) == {"a": 1}


@needs_node
def test_a_node_handler_s_error_without_an_error_object_is_told_by_its_text(tmp_path: Path) -> None:
    text = "export const handler = (event, context, done) => done('Unauthorized');"
    with pytest.raises(FunctionFailed) as failed:
        answer_in_node(tmp_path, "app.mjs", text, {})
    assert failed.value.error_message == "Unauthorized"


@needs_node
def test_what_a_node_handler_returns_without_a_promise_is_lost(tmp_path: Path) -> None:
    text = "export const handler = (event) => event;"
    assert answer_in_node(tmp_path, "app.mjs", text, 1) is None


@pytest.mark.parametrize("handler", ["deep/app.handler", "deep.app.handler"])
def test_a_python_handler_is_found_in_a_folder(handler: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "app.py").write_text("def handler(event, _): return event", "utf-8")
    with running(tmp_path, handler=handler) as process:
        assert process.invoke(7, CONTEXT) == 7


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    code = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    (tmp_path / "app.py").write_text(code, "utf-8")
    with running(tmp_path) as process:
        process_id = process.invoke(None, CONTEXT)
    with pytest.raises(ProcessLookupError):
        os.kill(cast("int", process_id), 0)
