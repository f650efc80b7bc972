"""`keyscope deploy` and `keyscope destroy`, with a small release and moto's CloudFormation."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.session import get_session
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID

from keyscope_cli import confirmation, deploying
from keyscope_local.emulators.tables import DUMMY_CREDENTIALS
from tests.support.cli import keyscope
from tests.support.in_process import Ended
from tests.support.small_release import POLICY, QUEUE, write_release

REGION: Final = "eu-west-1"
BUCKET: Final = f"keyscope-artifacts-{DEFAULT_ACCOUNT_ID}-{REGION}"


class Aws:
    """An empty account in moto."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.release()

    def release(self, *, code: str = "code", **changed: object) -> None:
        """Write a release, whose template has some sections changed."""
        write_release(self.folder, code=code, **changed)

    def client(self, name: str, region: str = REGION) -> Any:  # noqa: ANN401 - botocore ships no types
        keys: dict[str, Any] = {name.lower(): each for name, each in DUMMY_CREDENTIALS.items()}
        return cast("Any", get_session().create_client(name, region_name=region, **keys))

    def keyscope(self, *arguments: str, text: str = "") -> Ended:
        return keyscope(*arguments, "--region", REGION, text=text, **DUMMY_CREDENTIALS)

    def deploy(self, *arguments: str, text: str = "") -> Ended:
        return self.keyscope("deploy", "--artifacts", str(self.folder), *arguments, text=text)

    def stack(self) -> Mapping[str, Any]:
        (stack,) = self.client("cloudformation").describe_stacks()["Stacks"]
        return cast("Mapping[str, Any]", stack)

    def parameters(self) -> Mapping[str, str]:
        return {one["ParameterKey"]: one["ParameterValue"] for one in self.stack()["Parameters"]}

    def objects(self, bucket: str = BUCKET) -> set[str]:
        listed = self.client("s3").list_objects_v2(Bucket=bucket)
        return {one["Key"] for one in listed.get("Contents", [])}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    # With CloudFormation, all of moto takes a second to load; not in every process of the tests.
    from tests.support.moto_stacks import whole_change_sets  # noqa: PLC0415

    with mock_aws(), whole_change_sets():
        yield Aws(tmp_path)


@contextmanager
def requests_to(operation: str) -> Iterator[list[Mapping[str, object]]]:
    """Collect the requests of an operation."""
    sent: list[Mapping[str, object]] = []

    def call(client: Any, name: str, request: Mapping[str, object]) -> object:  # noqa: ANN401 - see above
        if name == operation:
            sent.append(request)
        return real(client, name, request)

    real: Any = vars(BaseClient)["_make_api_call"]
    with patch.object(BaseClient, "_make_api_call", call):
        yield sent


def key_of(text: str, suffix: str = ".zip") -> str:
    return f"keyscope/{sha256(text.encode()).hexdigest()}{suffix}"


def test_a_deployment_shows_what_it_creates_and_what_to_do_next(aws: Aws) -> None:
    done = aws.deploy("--yes")
    assert (done.status, aws.stack()["StackStatus"]) == (0, "CREATE_COMPLETE")
    rows = [line.split() for line in done.out.splitlines() if line.startswith("Add")]
    assert rows == [
        ["Add", "KeysTable"],
        ["Add", "Queue"],
    ]
    assert "RestApiUrl  https://example.com/prod" in done.out
    program = f"  AWS_REGION={REGION} keyscope"
    assert done.out.splitlines()[-2:] == [
        f'{program} account create "Example Bakery" --stack keyscope --secret-file account.json',
        f"{program} doctor --stack keyscope",
    ]


def test_the_bucket_that_it_creates_is_versioned_encrypted_and_closed_to_the_public(
    aws: Aws,
) -> None:
    aws.deploy("--yes")
    s3 = aws.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION
    assert aws.parameters()["ArtifactsBucket"] == BUCKET


def test_what_an_interrupted_creation_of_the_bucket_left_out_is_made_up_for(aws: Aws) -> None:
    place = {"LocationConstraint": REGION}
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    aws.deploy("--yes")
    assert aws.client("s3").get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert aws.client("s3").get_public_access_block(Bucket=BUCKET)


def test_files_are_uploaded_once_under_their_digests(aws: Aws) -> None:
    template = (aws.folder / "template.json").read_text("utf-8")
    first, again = aws.deploy("--yes"), aws.deploy("--yes")
    assert aws.objects() == {key_of("code"), key_of(template, ".json")}
    assert f"Uploaded 2 files to {BUCKET}." in first.err
    assert f"Uploaded 0 files to {BUCKET}." in again.err


def test_an_object_with_the_right_name_and_another_content_is_replaced(aws: Aws) -> None:
    place = {"LocationConstraint": REGION}
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    s3.put_object(Bucket=BUCKET, Key=key_of("code"), Body=b"theirs")
    aws.deploy("--yes")
    found = s3.get_object(Bucket=BUCKET, Key=key_of("code"), ChecksumMode="ENABLED")
    assert found["Body"].read() == b"code"
    assert found["ChecksumSHA256"] == b64encode(sha256(b"code").digest()).decode()


def test_a_named_bucket_keeps_its_settings(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert aws.deploy("--yes", "--bucket", "mine").status == 0
    assert "Status" not in s3.get_bucket_versioning(Bucket="mine")
    # An update keeps using it.
    aws.release(code="other")
    aws.deploy("--yes")
    assert key_of("other") in aws.objects("mine")


def test_a_bucket_that_does_not_exist_or_is_elsewhere_is_not_used(aws: Aws) -> None:
    aws.client("s3", "us-east-1").create_bucket(Bucket="elsewhere")
    for name, told in (("nowhere", "no bucket 'nowhere'"), ("elsewhere", "is in us-east-1")):
        done = aws.deploy("--yes", "--bucket", name)
        assert (done.status, told in done.err) == (4, True)


def test_in_the_first_region_the_bucket_is_created_without_naming_it(aws: Aws) -> None:
    done = keyscope(
        *("deploy", "--yes", "--artifacts", str(aws.folder), "--region", "us-east-1"),
        **DUMMY_CREDENTIALS,
    )
    assert done.status == 0
    name = f"keyscope-artifacts-{DEFAULT_ACCOUNT_ID}-us-east-1"
    assert aws.client("s3", "us-east-1").head_bucket(Bucket=name)


@pytest.mark.parametrize("exists", [True, False])
def test_a_bucket_of_another_account_is_not_used(exists: bool, aws: Aws) -> None:  # noqa: FBT001 - a row
    # The name can be guessed, so another account may have the bucket, or create it meanwhile.
    written: list[str] = []

    def answer(client: Any, operation: str, request: Mapping[str, object]) -> object:  # noqa: ANN401 - see above
        if client.meta.service_model.service_name != "s3":
            return real(client, operation, request)
        if operation.startswith("Put"):
            written.append(operation)
        if operation == "CreateBucket":
            code = "BucketAlreadyExists"
        else:
            assert request["ExpectedBucketOwner"] == DEFAULT_ACCOUNT_ID
            code = "403" if exists else "404"
        raise ClientError({"Error": {"Code": code}}, operation)

    real: Any = vars(BaseClient)["_make_api_call"]
    with patch.object(BaseClient, "_make_api_call", answer):
        done = aws.deploy("--yes")
    assert (done.status, "another account owns it" in done.err, written) == (4, True, [])


def test_parameters_come_from_a_file_and_the_command_line_which_comes_first(
    aws: Aws, tmp_path: Path
) -> None:
    file = tmp_path / "parameters.toml"
    file.write_text('StageName = "test"\nHttpApiEnabled = true\n')
    aws.deploy("--yes", "--parameters-file", str(file), "--parameter", "StageName=live")
    assert aws.parameters() == {
        "ArtifactsBucket": BUCKET,
        "StageName": "live",
        "HttpApiEnabled": "true",
    }


def test_an_update_keeps_the_parameters_that_are_not_given(aws: Aws) -> None:
    aws.deploy("--yes", "--parameter", "StageName=live")
    done = aws.deploy("--yes", "--parameter", "HttpApiEnabled=true")
    assert (done.status, aws.stack()["StackStatus"]) == (0, "UPDATE_COMPLETE")
    assert aws.parameters()["StageName"] == "live"


@pytest.mark.parametrize("answer", ["n\n", ""], ids=["no", "nothing"])
def test_a_deployment_that_is_not_confirmed_leaves_no_stack(
    answer: str, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "has_terminal", lambda: True)
    done = aws.deploy(text=answer)
    assert (done.status, "Create the stack 'keyscope' in eu-west-1?" in done.err) == (1, True)
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_dry_run_in_an_empty_account_creates_nothing_and_shows_what_would_be(aws: Aws) -> None:
    done = aws.deploy("--dry-run")
    assert (done.status, "Dry run: nothing was created." in done.out) == (0, True)
    rows = [line.split() for line in done.out.splitlines() if line.startswith("Add")]
    assert rows == [["Add", "KeysTable"], ["Add", "Queue"]]
    assert f"create the bucket {BUCKET} and upload 2 files to it" in done.err
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []
    assert aws.client("s3").list_buckets()["Buckets"] == []


def test_a_dry_run_uploads_the_template_alone_and_leaves_no_stack(aws: Aws) -> None:
    place = {"LocationConstraint": REGION}
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    done = aws.deploy("--dry-run")
    told = f"Dry run: no stack was changed. {BUCKET} keeps the uploaded template."
    assert (done.status, told in done.out) == (0, True)
    template = (aws.folder / "template.json").read_text("utf-8")
    assert aws.objects() == {key_of(template, ".json")}
    assert "Status" not in aws.client("s3").get_bucket_versioning(Bucket=BUCKET)
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_dry_run_of_an_update_shows_the_changes_and_makes_none(aws: Aws) -> None:
    aws.deploy("--yes")
    done = aws.deploy("--dry-run", "--parameter", "StageName=live", "--json")
    assert done.json["status"] == "CREATE_COMPLETE"
    assert aws.parameters()["StageName"] == "prod"


def test_a_declined_deployment_keeps_a_stack_that_was_there_without_resources(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "has_terminal", lambda: True)
    formation = aws.client("cloudformation")
    template = json.dumps({"Resources": {"Queue": QUEUE}})
    theirs = {"StackName": "keyscope", "ChangeSetName": "theirs", "ChangeSetType": "CREATE"}
    formation.create_change_set(**theirs, TemplateBody=template)
    # moto would make a second stack of the name, which CloudFormation does not.
    with requests_to("DeleteChangeSet") as discarded, requests_to("DeleteStack") as deleted:
        assert aws.deploy(text="n\n").status == 1
    assert (len(discarded), deleted) == (1, [])


def test_a_role_that_is_given_is_the_one_that_cloudformation_uses(aws: Aws) -> None:
    role = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/deployer"
    with requests_to("CreateChangeSet") as sent:
        aws.deploy("--yes", "--role-arn", role)
    assert [each["RoleARN"] for each in sent] == [role]
    with requests_to("CreateChangeSet") as sent:
        aws.deploy("--dry-run")
    assert ["RoleARN" in each for each in sent] == [False]


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ((), ("wait stack-create-complete", "delete-stack")),
        (("--yes",), ("wait stack-update-complete", "cancel-update-stack")),
    ],
    ids=["a creation", "an update"],
)
def test_an_interrupted_deployment_says_that_it_continues_and_how_to_wait_or_cancel(
    before: tuple[str, ...], told: tuple[str, str], aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before:
        aws.deploy(*before)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deploying, "follow", interrupt)
    done = aws.deploy("--yes", "--parameter", "StageName=live")
    assert done.status == 130
    assert "Interrupted. CloudFormation still works on the stack 'keyscope'." in done.err
    for command in told:
        assert f"aws cloudformation {command} --region {REGION} --stack-name keyscope" in done.err
    # The deployment itself was not touched.
    assert aws.parameters()["StageName"] == "live"


def test_an_update_without_changes_says_so_and_succeeds(aws: Aws) -> None:
    aws.deploy("--yes")
    done = aws.deploy("--yes")
    assert (done.status, "No changes." in done.out) == (0, True)
    assert aws.stack()["StackStatus"] == "CREATE_COMPLETE"


def test_an_update_that_would_remove_a_table_is_refused(aws: Aws) -> None:
    aws.deploy("--yes")
    aws.release(Resources={"Queue": QUEUE})
    done = aws.deploy("--yes")
    assert (done.status, "may replace or remove KeysTable" in done.err) == (4, True)
    assert aws.stack()["StackStatus"] == "CREATE_COMPLETE"


def test_the_stack_gets_the_releases_policy_and_keeps_its_own(aws: Aws) -> None:
    aws.deploy("--yes")
    formation = aws.client("cloudformation")
    assert formation.get_stack_policy(StackName="keyscope")["StackPolicyBody"] == POLICY
    own = '{"Statement": [{"Effect": "Allow"}]}'
    formation.set_stack_policy(StackName="keyscope", StackPolicyBody=own)
    aws.deploy("--yes", "--parameter", "StageName=live")
    assert formation.get_stack_policy(StackName="keyscope")["StackPolicyBody"] == own


def test_another_stack_is_neither_updated_nor_deleted(aws: Aws) -> None:
    formation = aws.client("cloudformation")
    template = json.dumps({"Resources": {"Queue": QUEUE}})
    formation.create_stack(StackName="shop", TemplateBody=template)
    for command in (("deploy", "--artifacts", str(aws.folder)), ("destroy",)):
        done = aws.keyscope(*command, "--stack", "shop", "--yes")
        assert (done.status, "'shop' is not a Keyscope stack" in done.err) == (4, True)
    assert aws.stack()["StackStatus"] == "CREATE_COMPLETE"


def test_json_is_one_document(aws: Aws) -> None:
    done = aws.deploy("--yes", "--json")
    assert done.json["status"] == "CREATE_COMPLETE"
    assert done.json["outputs"] == {"RestApiUrl": "https://example.com/prod"}
    assert [each["resource"] for each in done.json["changes"]] == ["KeysTable", "Queue"]


def test_destroy_says_what_stays_and_asks(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmation, "has_terminal", lambda: True)
    aws.deploy("--yes")
    done = aws.keyscope("destroy", text="n\n")
    assert (done.status, aws.stack()["StackStatus"]) == (1, "CREATE_COMPLETE")
    assert "Delete the stack 'keyscope' with 1 resource? This cannot be undone. [y/N]" in done.err
    rows = [line.split()[:2] for line in done.out.splitlines() if "::" in line]
    assert rows == [["KeysTable", "AWS::DynamoDB::Table"]]
    assert f"The bucket {BUCKET} with Keyscope's code is also kept." in done.out


def test_destroy_deletes_the_stack(aws: Aws) -> None:
    aws.deploy("--yes")
    done = aws.keyscope("destroy", "--yes")
    assert (done.status, done.out.splitlines()[-1]) == (0, "Stack deleted: keyscope")
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_stack_that_is_not_there_is_not_deleted(aws: Aws) -> None:
    done = aws.keyscope("destroy", "--yes")
    assert (done.status, "There is no stack 'keyscope'" in done.err) == (4, True)
