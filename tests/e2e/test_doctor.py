"""`keyscope doctor` on a stack in moto, and on what is wrong with it."""

import io
import json
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final, cast

import pytest
from moto.awslambda.models import LayerVersion
from moto.server import ThreadedMotoServer

from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings
from keyscope_cli.authorizer_checks import cache_finding
from keyscope_cli.findings import CheckVerdict
from keyscope_cli.maps.map_layer import MAP_IN_FUNCTIONS, layer_of
from keyscope_local.emulators.tables import DUMMY_CREDENTIALS, REGION, local_client
from tests.support import plain_http
from tests.support.cli import keyscope
from tests.support.in_process import Ended

pytestmark = pytest.mark.cloudformation

STACK: Final = "keyscope"
TABLE: Final[Mapping[str, object]] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "key_id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "key_id", "KeyType": "HASH"}],
}
INDEXED: Final = {
    "AttributeDefinitions": [
        {"AttributeName": "key_id", "AttributeType": "S"},
        {"AttributeName": "owner_id", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "owner-index",
            "KeySchema": [{"AttributeName": "owner_id", "KeyType": "HASH"}],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["owner_type", "permission_names", "revoked_at"],
            },
        }
    ],
}
FUNCTIONS: Final = ("rest", "http")
NOBODY: Final = "http://127.0.0.1:9/prod"


class Aws:
    """moto over HTTP, with one stack like Keyscope's, made sound."""

    def __init__(self, url: str) -> None:
        self.url = url
        functions = {name: self._function(name) for name in FUNCTIONS}
        template = {
            "Resources": {
                "KeysTable": {"Type": "AWS::DynamoDB::Table", "Properties": {**TABLE, **INDEXED}},
                "DirectoryTable": {"Type": "AWS::DynamoDB::Table", "Properties": TABLE},
                "SecretsKey": {
                    "Type": "AWS::KMS::Key",
                    "Properties": {"KeyPolicy": {}, "EnableKeyRotation": True},
                },
                "RestApi": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "x"}},
                "FlushDeadLetterQueue": {"Type": "AWS::SQS::Queue"},
                "ExpirySweepDeadLetterQueue": {"Type": "AWS::SQS::Queue"},
                "KeyUseDeadLetterQueue": {"Type": "AWS::SQS::Queue"},
            },
            "Outputs": {
                "SecretsKeyArn": {"Value": {"Fn::GetAtt": ["SecretsKey", "Arn"]}},
                "RestAuthorizerArn": {"Value": functions["rest"]},
                "HttpAuthorizerArn": {"Value": functions["http"]},
                "RestApiUrl": {"Value": NOBODY},
                "KeysTableName": {"Value": {"Ref": "KeysTable"}},
                "DirectoryTableName": {"Value": {"Ref": "DirectoryTable"}},
            },
        }
        self.template = template
        client = self.client("cloudformation")
        client.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
        found = client.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
        self.ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}
        for table in ("KeysTable", "DirectoryTable"):
            self._protect(self.ids[table])
        self.attach(functions["rest"])

    def client(self, name: str) -> Any:  # noqa: ANN401 - botocore ships no types
        return cast("Any", local_client(name, self.url))

    def attach(self, arn: str, source: str = "method.request.header.Authorization") -> None:
        """Give the REST API this authorizer instead of the one that it has."""
        client, api = self.client("apigateway"), self.ids["RestApi"]
        for one in client.get_authorizers(restApiId=api).get("items", []):
            client.delete_authorizer(restApiId=api, authorizerId=one["id"])
        path = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions"
        client.create_authorizer(
            restApiId=api,
            name="Keyscope",
            type="REQUEST",
            authorizerUri=f"{path}/{arn}/invocations",
            identitySource=source,
            authorizerResultTtlInSeconds=300,
        )

    def use_table(self, name: str) -> None:
        """Let the stack use this table for its keys, and no longer have one of its own."""
        client = self.client("dynamodb")
        client.create_table(TableName=name, **{**TABLE, **INDEXED})
        client.update_table(TableName=self.ids["KeysTable"], DeletionProtectionEnabled=False)
        resources, outputs = self.template["Resources"], self.template["Outputs"]
        template = {
            "Resources": {id_: one for id_, one in resources.items() if id_ != "KeysTable"},
            "Outputs": {**outputs, "KeysTableName": {"Value": name}},
        }
        formation = self.client("cloudformation")
        formation.update_stack(StackName=STACK, TemplateBody=json.dumps(template))

    def doctor(self) -> Ended:
        return keyscope(
            "doctor",
            "--stack",
            STACK,
            "--json",
            AWS_ENDPOINT_URL=self.url,
            AWS_REGION=REGION,
            **DUMMY_CREDENTIALS,
        )

    def verdicts(self) -> dict[str, str]:
        """Return what is not ok, by check."""
        found = self.doctor().json["findings"]
        return {one["check"]: one["verdict"] for one in found if one["verdict"] != "ok"}

    def _function(self, name: str) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "")
        iam = self.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = self.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Environment={
                "Variables": {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "key"}
            },
        )
        client.publish_version(FunctionName=name)
        alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        return str(alias["AliasArn"])

    def _protect(self, table: str) -> None:
        client = self.client("dynamodb")
        client.update_table(TableName=table, DeletionProtectionEnabled=True)
        client.update_continuous_backups(
            TableName=table,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        client.update_time_to_live(
            TableName=table,
            TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
        )


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    # moto has one store a process, and a test that failed elsewhere can have left its stack there.
    _reset(url)
    yield url
    server.stop()


@pytest.fixture
def aws(moto_url: str) -> Iterator[Aws]:
    yield Aws(moto_url)
    _reset(moto_url)


def _reset(url: str) -> None:
    plain_http.post(f"{url}/moto-api/reset").raise_for_status()


def test_a_sound_stack_has_no_problem_and_is_told_of_alarms(aws: Aws) -> None:
    done = aws.doctor()
    assert (done.status, done.err) == (0, "")
    found = {one["check"]: one for one in done.json["findings"]}
    warned = {check for check, one in found.items() if one["verdict"] == "warning"}
    assert warned == {"alarms", "request without credential"}
    assert "FlushDeadLetterQueue" in found["alarms"]["advice"]
    assert found["REST API: caches"]["found"] == "API Gateway 300 s, containers 30 s"


def test_each_fault_is_a_problem_and_the_exit_status_tells(aws: Aws) -> None:
    dynamodb, keys = aws.client("dynamodb"), aws.ids["KeysTable"]
    dynamodb.update_continuous_backups(
        TableName=keys, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    dynamodb.update_table(TableName=keys, DeletionProtectionEnabled=False)
    aws.client("kms").disable_key(KeyId=aws.ids["SecretsKey"])
    for queue in ("FlushDeadLetterQueue", "KeyUseDeadLetterQueue", "ExpirySweepDeadLetterQueue"):
        aws.client("sqs").send_message(QueueUrl=aws.ids[queue], MessageBody="given up")
    aws.attach("arn:aws:lambda:us-east-1:123456789012:function:rest", "method.request.header.Host")
    done = aws.doctor()
    assert done.status == 1
    found = {one["check"]: one["verdict"] for one in done.json["findings"]}
    assert {
        "keys table: point-in-time recovery": "problem",
        "keys table: deletion protection": "warning",
        "KMS key": "problem",
        "failed cache flushes": "problem",
        "unrecorded last uses": "problem",
        "failed expiry sweeps": "problem",
        "REST API": "problem",
        "REST API: identity source": "problem",
    }.items() <= found.items()


def test_a_limited_key_is_named_when_the_access_map_no_longer_knows_its_permission(
    aws: Aws,
) -> None:
    check = "key permissions"
    sound = {one["check"]: one["found"] for one in aws.doctor().json["findings"]}
    assert sound[check] == "The access map defines every permission of 0 limited keys"
    for key_id, names, ended in (
        ("app_known", ["read"], {}),
        ("app_unknown", ["read", "tickets:read"], {}),
        ("app_revoked", ["tickets:read"], {"revoked_at": {"N": "1"}}),
    ):
        permissions = {"permission_names": {"L": [{"S": name} for name in names]}}
        item = {"key_id": {"S": key_id}, "owner_id": {"S": "owner"}, **permissions, **ended}
        aws.client("dynamodb").put_item(TableName=aws.ids["KeysTable"], Item=item)
    found = {one["check"]: one for one in aws.doctor().json["findings"]}[check]
    assert found["verdict"] == "warning"
    assert found["found"] == "The access map does not define: app_unknown (tickets:read)"


def test_a_table_that_is_gone_and_an_api_without_authorizer_are_problems(aws: Aws) -> None:
    dynamodb, directory = aws.client("dynamodb"), aws.ids["DirectoryTable"]
    dynamodb.update_table(TableName=directory, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=directory)
    aws.attach("arn:aws:lambda:us-east-1:123456789012:function:another:live")
    found = aws.verdicts()
    assert (found["directory table"], found["REST API"]) == ("problem", "problem")


def test_a_table_that_the_stack_uses_and_did_not_make_is_looked_at(aws: Aws) -> None:
    aws.use_table("restored")
    found = {one["check"]: one["verdict"] for one in aws.doctor().json["findings"]}
    assert found["keys table"] == "ok"
    assert found["keys table: point-in-time recovery"] == "problem"


def test_settings_with_which_an_authorizer_does_not_start_are_a_problem(aws: Aws) -> None:
    client = aws.client("lambda")
    client.update_function_configuration(FunctionName="rest", Environment={"Variables": {}})
    client.publish_version(FunctionName="rest")
    client.update_alias(FunctionName="rest", Name="live", FunctionVersion="2")
    assert aws.verdicts()["authorizer: settings"] == "problem"


def published(aws: Aws, file: Path, *options: str) -> Ended:
    arguments = ("access", "publish", str(file), "--stack", STACK, *options)
    variables = {"AWS_ENDPOINT_URL": aws.url, "AWS_REGION": REGION, **DUMMY_CREDENTIALS}
    return keyscope(*arguments, **variables)


def test_a_map_is_published_once_and_the_deployment_shown(aws: Aws, tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text('["orders"]\napp = ["GET /orders"]\n', "utf-8")
    done = published(aws, file)
    assert (done.status, done.err) == (0, "")
    arn = f"arn:aws:lambda:{REGION}:123456789012:layer:keyscope-access-map:1"
    deploy = f"sam deploy --stack-name {STACK} --parameter-overrides AccessMapLayerArn={arn}"
    assert done.out == f"Published: {arn}\nTo deploy it: {deploy}\n"
    assert published(aws, file).out.startswith(f"Already published: {arn}\n")
    file.write_text('["orders"]\napp = ["GET /orders", "POST /orders"]\n', "utf-8")
    assert published(aws, file, "--json").json["layerVersionArn"].endswith(":2")


def test_a_map_that_lacks_keyscopes_own_routes_is_published_with_a_warning(
    aws: Aws, tmp_path: Path
) -> None:
    file = tmp_path / "map.toml"
    file.write_text('["orders"]\napp = ["GET /orders"]\n', "utf-8")
    done = published(aws, file, "--routes", "orders")
    assert done.out.endswith(" AccessMapRoutes=orders\n")
    assert "the console and `keyscope` cannot manage apps" in done.err


def test_a_map_that_an_authorizer_refuses_is_not_published(aws: Aws, tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text('["orders"]\napp = ["GET /*/orders"]\n', "utf-8")
    assert published(aws, file).status == 1
    assert aws.client("lambda").list_layers()["Layers"] == []


def load_layer(aws: Aws, function: str, content: bytes) -> str:
    """Publish a layer, and a version of a function that loads it."""
    client = aws.client("lambda")
    layer = client.publish_layer_version(LayerName="map", Content={"ZipFile": content})
    variables = {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "key"}
    variables["KEYSCOPE_ACCESS_MAP"] = MAP_IN_FUNCTIONS
    client.update_function_configuration(
        FunctionName=function,
        Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": variables},
    )
    version = client.publish_version(FunctionName=function)["Version"]
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=version)
    return str(layer["LayerVersionArn"])


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let layers of moto be downloaded, which it does not offer itself."""
    told = LayerVersion.get_layer_version

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b64decode(self.path.removeprefix("/"), b"-_")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        log_message: Callable[..., None] = staticmethod(lambda *_: None)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:

        def with_location(version: Any) -> dict[str, Any]:  # noqa: ANN401 - moto has no types
            found: dict[str, Any] = told(version)
            name = b64encode(version.code_bytes, b"-_").decode()
            content = {
                **found["Content"],
                "Location": f"http://127.0.0.1:{server.server_port}/{name}",
                "CodeSha256": b64encode(sha256(version.code_bytes).digest()).decode(),
            }
            return {**found, "Content": content}

        monkeypatch.setattr(LayerVersion, "get_layer_version", with_location)
        Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.usefixtures("downloads")
def test_the_map_in_a_layer_is_judged_like_any_other(aws: Aws) -> None:
    content = layer_of('["orders"]\napp = ["GET /orders"]\n')
    rest = load_layer(aws, "rest", content)
    load_layer(aws, "http", content)
    found = {one["check"]: one for one in aws.doctor().json["findings"]}
    assert found["authorizer: settings"]["verdict"] == "ok"
    # Each function here loads a version of its own, and no two functions may.
    assert found["access map layer"]["verdict"] == "problem"
    assert rest in found["access map layer"]["found"]


@pytest.mark.usefixtures("downloads")
def test_a_layer_that_holds_more_than_the_map_is_a_problem(aws: Aws) -> None:
    content = io.BytesIO(layer_of('["orders"]\napp = ["GET /orders"]\n'))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("python/sitecustomize.py", "print()")
    load_layer(aws, "rest", content.getvalue())
    found = {one["check"]: one for one in aws.doctor().json["findings"]}
    assert found["authorizer"]["verdict"] == "problem"
    assert "python/sitecustomize.py" in found["authorizer"]["found"]


def test_a_stack_that_is_not_there_is_told(moto_url: str) -> None:
    done = keyscope(
        "doctor",
        "--stack",
        "nowhere",
        AWS_ENDPOINT_URL=moto_url,
        AWS_REGION=REGION,
        **DUMMY_CREDENTIALS,
    )
    assert (done.status, done.out) == (4, "")
    assert "There is no stack 'nowhere'" in done.err


def settings_with(**variables: str) -> AuthorizerSettings:
    needed = {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "key"}
    return read_authorizer_settings({**needed, **variables})


@pytest.mark.parametrize(
    ("ttl_seconds", "variables", "verdict"),
    [
        (300, {}, CheckVerdict.OK),
        (0, {}, CheckVerdict.OK),
        (10, {}, CheckVerdict.WARNING),
        (300, {"KEYSCOPE_POLICY_CONDITIONS": "false"}, CheckVerdict.PROBLEM),
        (0, {"KEYSCOPE_POLICY_CONDITIONS": "false"}, CheckVerdict.OK),
    ],
)
def test_the_caches_are_judged_together(
    ttl_seconds: int, variables: dict[str, str], verdict: CheckVerdict
) -> None:
    assert cache_finding("caches", ttl_seconds, settings_with(**variables)).verdict is verdict
