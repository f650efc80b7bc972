"""The stack's functions as containers: settings, failures, one invocation at a time."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from keyscope_local.template.function_failure import FunctionFailed, FunctionNotLoaded
from keyscope_local.template.function_loader import (
    LocalContext,
    LocalFunction,
    loaded_functions,
)
from keyscope_local.template.stack import Stack, load_stack

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler}}
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: one, MemorySize: 512, Environment: {Variables: {NAME: first}}}
  Two:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: two, Environment: {Variables: {NAME: second}}}
"""
CODE = """
import os
NAME = os.environ["NAME"]
def handler(event, context):
    if event == "raise":
        raise ValueError("the text")
    if event == "no json":
        return object()
    if event == "environment":
        return [os.environ.get("NAME"), os.environ.get("AWS_ENDPOINT_URL")]
    return [NAME, event, context.function_name, context.memory_limit_in_mb]
"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(CODE, "utf-8")
    (tmp_path / "template.yaml").write_text(TEMPLATE, "utf-8")
    return load_stack(tmp_path / "template.yaml")


def invoke(stack: Stack, event: object, name: str = "One") -> object:
    with loaded_functions(stack, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}) as functions:
        return functions[name].invoke(event)


def failure_of(stack: Stack, event: str) -> FunctionFailed:
    with pytest.raises(FunctionFailed) as failed:
        invoke(stack, event)
    return failed.value


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("One", ["first", "event", "keyscope-local-One", 512]),
        ("Two", ["second", "event", "keyscope-local-Two", 128]),
    ],
)
def test_functions_whose_files_are_named_alike_have_each_their_own_settings(
    name: str, answer: list[object], stack: Stack
) -> None:
    assert invoke(stack, "event", name) == answer


def test_the_environment_goes_on_top_of_a_functions_own(stack: Stack) -> None:
    with loaded_functions(stack, {"NAME": "third"}) as functions:
        answers = [functions[name].invoke("event") for name in ("One", "Two")]
    assert answers == [
        ["third", "event", "keyscope-local-One", 512],
        ["third", "event", "keyscope-local-Two", 128],
    ]


def test_each_load_is_a_fresh_container(stack: Stack) -> None:
    with loaded_functions(stack, {}) as first, loaded_functions(stack, {}) as second:
        assert first["One"].handler is not second["One"].handler


def test_every_invocation_has_an_id_of_its_own() -> None:
    function = LocalFunction("f", "arn", 128, lambda _, context: context.aws_request_id)
    assert function.invoke(None) != function.invoke(None)


def test_a_function_serves_one_invocation_at_a_time() -> None:
    spans: list[tuple[float, float]] = []

    def handler(_: object, __: LocalContext) -> None:
        began = time.monotonic()
        time.sleep(0.002)
        spans.append((began, time.monotonic()))

    function = LocalFunction("f", "arn", 128, handler)
    with ThreadPoolExecutor(max_workers=20) as pool:
        list(pool.map(function.invoke, range(20)))
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))


def test_a_setting_that_a_function_misses_stops_the_load(stack: Stack) -> None:
    folder = stack.folder / "one" / "app.py"
    folder.write_text("import os\nos.environ['MISSING']", "utf-8")
    told = "One failed to load: KeyError: 'MISSING'"
    with pytest.raises(FunctionNotLoaded, match=told), loaded_functions(stack, {}):
        pass


def test_the_endpoints_stay_while_the_functions_are_loaded_and_their_settings_do_not(
    stack: Stack,
) -> None:
    assert invoke(stack, "environment") == [None, "http://127.0.0.1:1"]


def test_the_process_keeps_nothing_of_it(stack: Stack) -> None:
    before = dict(os.environ)
    invoke(stack, "event")
    assert dict(os.environ) == before


def test_what_a_handler_raises_is_told_as_lambda_does(stack: Stack) -> None:
    failed = failure_of(stack, "raise")
    assert (failed.error_type, failed.error_message) == ("ValueError", "the text")


def test_the_failure_itself_does_not_quote_the_message(stack: Stack) -> None:
    assert "the text" not in str(failure_of(stack, "raise"))


def test_an_answer_that_is_no_json_is_a_failure(stack: Stack) -> None:
    assert failure_of(stack, "no json").error_type == "TypeError"


def test_event_and_answer_pass_through_json() -> None:
    function = LocalFunction("f", "arn", 128, lambda event, _: event)
    assert function.invoke({"tuple": (1, 2), 3: None}) == {"tuple": [1, 2], "3": None}


def test_a_handler_finds_the_modules_beside_it(stack: Stack) -> None:
    (stack.folder / "one" / "beside_the_handler.py").write_text("VALUE = 7", "utf-8")
    code = "from beside_the_handler import VALUE\ndef handler(event, context):\n    return VALUE\n"
    (stack.folder / "one" / "app.py").write_text(code, "utf-8")
    assert invoke(stack, "event") == 7
