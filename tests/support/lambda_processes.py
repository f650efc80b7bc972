"""Functions of moto's Lambda, run as AWS runs them: the uploaded code on the uploaded layers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch
from zipfile import ZipFile

import botocore
from moto.awslambda.models import LambdaFunction, lambda_backends

_OF_THE_RUNTIME: Final = ("botocore", "urllib3", "dateutil", "six.py", "jmespath")
_COMPILED: Final = ("pydantic", "pydantic_core", "annotated_types", "typing_inspection")
"""A layer has them for Lambda's processor, so those that are installed here take their place."""
_ANSWER: Final = """
import json, sys, types, app
context = types.SimpleNamespace(
    aws_request_id="1", function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn",
    get_remaining_time_in_millis=lambda: 10_000,
)
event = json.load(sys.stdin)
json.dump(app.handler(event, context), open(sys.argv[1], "w"))
"""


@contextmanager
def functions_in_processes(environment: Mapping[str, str]) -> Iterator[None]:
    """Let `Invoke` run a function's archives in a process, with these variables beside its own."""

    def invoke(self: LambdaFunction, event: Any) -> tuple[str, bool, str]:  # noqa: ANN401 - JSON
        with TemporaryDirectory() as scratch:
            return _run(self, event, Path(scratch), environment)

    with patch.object(LambdaFunction, "_invoke_lambda", invoke):
        yield


def _run(
    function: LambdaFunction, event: object, folder: Path, environment: Mapping[str, str]
) -> tuple[str, bool, str]:
    code, opt, runtime = folder / "code", folder / "opt", folder / "runtime"
    _unpack(function.code_bytes, code)
    backend = lambda_backends[function.account_id][function.region]
    for layer in function.layers:
        version = backend.layers_versions_by_arn(layer["Arn"])
        assert version is not None
        _unpack(version.code_bytes, opt)
    runtime.mkdir()
    installed = Path(botocore.__file__).parent.parent
    for name in (*_OF_THE_RUNTIME, *_COMPILED):
        (runtime / name).symlink_to(installed / name)
    has_pydantic = (opt / "python" / "pydantic").exists()
    paths = [runtime, opt / "python"] if has_pydantic else [opt / "python", runtime]
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-S", "-B", "-c", _ANSWER, str(folder / "answer.json")],
        cwd=code,
        env={
            **function.environment_vars,
            **environment,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        },
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=False,
    )
    failed = done.returncode != 0
    answer = json.dumps({"errorMessage": done.stderr}) if failed else _text(folder)
    return answer, failed, done.stderr


def _text(folder: Path) -> str:
    return (folder / "answer.json").read_text("utf-8")


def _unpack(content: bytes, folder: Path) -> None:
    with ZipFile(BytesIO(content)) as archive:
        archive.extractall(folder)
