"""Functions that are given lines of other functions' logs."""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, cast

import pytest

from keyscope.aws.log_subscription import LogBatch, read_log_batch
from keyscope_local.emulators.log_subscriptions import read_subscriptions, subscribed_logs
from keyscope_local.template.function_loader import LocalFunction
from keyscope_local.template.intrinsics import TemplateError
from keyscope_local.template.stack import Stack, load_stack
from tests.support.local_gateway import StubFunction, raising

PATTERN: Final = "'{ $.message = \"use\" }'"
TEMPLATE: Final = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler}}
Resources:
  Heard: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /heard}}
  Source:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: source, LoggingConfig: {LogGroup: !Ref Heard}}
  Other: {Type: "AWS::Serverless::Function", Properties: {CodeUri: other}}
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: reader
      Events:
        Lines:
          Type: CloudWatchLogs
          Properties: {LogGroupName: !Ref Heard, FilterPattern: PATTERN}
"""


def stack_in(folder: Path, pattern: str = PATTERN, template: str = TEMPLATE) -> Stack:
    path = folder / "template.yaml"
    path.write_text(template.replace("PATTERN", pattern), "utf-8")
    return load_stack(path)


def writing(event: object) -> object:
    for text in cast("Sequence[str]", event):
        sys.stdout.write(text)
    return None


class Functions:
    """The stack's functions; `heard` is what the reader got."""

    def __init__(self, read: Callable[[object], object] = lambda _: None) -> None:
        self.reader = StubFunction(read)
        handlers = {"Source": StubFunction(writing), "Other": StubFunction(writing)}
        handlers["Reader"] = self.reader
        self.by_id: Mapping[str, LocalFunction] = {
            name: LocalFunction(
                name,
                f"arn:aws:lambda:us-east-1:123456789012:function:keyscope-local-{name}",
                128,
                stub.loaded(name).handler,
            )
            for name, stub in handlers.items()
        }

    @property
    def batches(self) -> list[LogBatch]:
        return [read_log_batch(event) for event in self.reader.events]

    @property
    def heard(self) -> list[str]:
        return [line.text for batch in self.batches for line in batch.lines]


USE: Final = '{"message": "use", "n": 1}'


def test_the_lines_that_fit_the_pattern_reach_the_function_before_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    functions = Functions()
    written = [f"{USE}\n", '{"message": "decision"}\n', "use\n", "[]\n", f"{USE}\n{USE}\n"]
    with subscribed_logs(stack_in(tmp_path), functions.by_id):
        functions.by_id["Source"].invoke(written)
    assert functions.heard == [USE] * 3
    assert {batch.log_group for batch in functions.batches} == {"/heard"}
    assert capsys.readouterr().out == "".join(written)


def test_each_line_has_an_id_of_its_own(tmp_path: Path) -> None:
    functions = Functions()
    with subscribed_logs(stack_in(tmp_path), functions.by_id):
        for _ in range(3):
            functions.by_id["Source"].invoke([f"{USE}\n"])
    ids = [line.line_id for batch in functions.batches for line in batch.lines]
    assert len(set(ids)) == 3


def test_of_functions_that_run_at_once_only_the_subscribed_one_is_heard(tmp_path: Path) -> None:
    functions = Functions()
    with subscribed_logs(stack_in(tmp_path), functions.by_id), ThreadPoolExecutor(4) as pool:
        for number in range(40):
            for name in ("Source", "Other"):
                pool.submit(
                    functions.by_id[name].invoke, [f'{{"message":"use","{name}":{number}}}\n']
                )
    assert sorted(functions.heard) == sorted(
        f'{{"message":"use","Source":{number}}}' for number in range(40)
    )


def test_standard_output_is_as_before_once_no_function_runs(tmp_path: Path) -> None:
    functions, before = Functions(), sys.stdout
    with subscribed_logs(stack_in(tmp_path), functions.by_id):
        functions.by_id["Source"].invoke([f"{USE}\n"])
        assert sys.stdout is before
    functions.by_id["Source"].invoke([f"{USE}\n"])
    assert functions.heard == [USE]


def test_a_function_that_fails_gets_the_next_lines_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    functions = Functions(raising("no"))
    with subscribed_logs(stack_in(tmp_path), functions.by_id):
        functions.by_id["Source"].invoke([f"{USE}\n"])
    with subscribed_logs(stack_in(tmp_path), functions.by_id):
        functions.by_id["Source"].invoke([f"{USE}\n"])
    assert len(functions.heard) == 2
    assert "Reader raised" in caplog.text


@pytest.mark.parametrize("pattern", ["''", "'{ $.n = 1 }'", "use"])
def test_a_pattern_that_is_not_supported_here_is_refused(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="the pattern"):
        read_subscriptions(stack_in(tmp_path, pattern), Functions().by_id)


def test_a_function_of_another_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="is not a function of the stack"):
        read_subscriptions(stack_in(tmp_path), {})
