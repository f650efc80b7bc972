"""A rehearsal of the first ten minutes on AWS: a release is deployed, used and destroyed.

moto has the account. It makes the stack of the packaged template, and runs the uploaded archives in
processes. It is no judge of IAM, of updates and of retention.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest
from moto.server import ThreadedMotoServer

from keyscope_local.emulators.tables import DUMMY_CREDENTIALS, REGION, local_client
from tests.support.builders import rest_request_event
from tests.support.cli import keyscope
from tests.support.in_process import Ended
from tests.support.lambda_processes import functions_in_processes
from tests.support.moto_stacks import serverless_stacks

NEVER_IN_MOTO: Final = {"request without credential"}


class Rehearsal:
    """An account in moto, reached over HTTP like AWS."""

    def __init__(self, url: str, artifacts: Path) -> None:
        self.environment = {
            **DUMMY_CREDENTIALS,
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
        self.url = url
        self.artifacts = artifacts

    def keyscope(self, *arguments: str) -> Ended:
        return keyscope(*arguments, **self.environment)

    def client(self, name: str) -> Any:  # noqa: ANN401 - botocore ships no types
        return cast("Any", local_client(name, self.url))


@pytest.fixture
def rehearsal(artifacts: Path) -> Iterator[Rehearsal]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    it = Rehearsal(f"http://{host}:{port}", artifacts)
    try:
        with serverless_stacks(it.url), functions_in_processes(it.environment):
            yield it
    finally:
        server.stop()


def test_a_release_is_deployed_used_and_destroyed(rehearsal: Rehearsal, tmp_path: Path) -> None:
    deployed = rehearsal.keyscope(
        "deploy", "--yes", "--json", "--artifacts", str(rehearsal.artifacts)
    )
    assert deployed.status == 0, deployed.err
    outputs = deployed.json["outputs"]

    secret_file = tmp_path / "account.json"
    created = rehearsal.keyscope(
        "account", "create", "Example", "--stack", "keyscope", "--secret-file", str(secret_file)
    )
    assert created.status == 0, created.err
    key = json.loads(secret_file.read_text("utf-8"))

    event = rest_request_event(f"Bearer {key['secret']}")
    answer = rehearsal.client("lambda").invoke(
        FunctionName=outputs["RestAuthorizerArn"], Payload=json.dumps(event).encode()
    )
    assert json.loads(answer["Payload"].read())["context"]["keyId"] == key["id"]

    examined = rehearsal.keyscope("doctor", "--stack", "keyscope", "--json")
    findings = examined.json["findings"]
    assert {each["check"] for each in findings if each["verdict"] != "ok"} == NEVER_IN_MOTO

    destroyed = rehearsal.keyscope("destroy", "--yes", "--json")
    assert destroyed.status == 0, destroyed.err
    assert set(destroyed.json["kept"]) == {"KeysTable", "DirectoryTable", "SecretsKey"}
