"""The GitHub Actions workflows: pinned, with few permissions, and fit for what they deploy."""

import json
import re
import tarfile
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml

from keyscope_local.template.intrinsics import Json
from keyscope_local.template.stack import Stack, load_stack, properties_of
from keyscope_local.template.yaml_reader import parse_yaml
from tests.support.commands import run
from tools.dist.packages import PACKAGES

ROOT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = {
    path.stem: path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
TEMPLATE: Final = parse_yaml((ROOT / "template.yaml").read_text("utf-8"))
TEMPLATE_ROLES: Final = sorted(
    name for name, it in TEMPLATE["Resources"].items() if it["Type"] == "AWS::IAM::Role"
)
ROLES: Final = (ROOT / "deploy" / "github-actions.yaml").read_text("utf-8")
EVERY: Final = pytest.mark.parametrize("name", WORKFLOWS)


def workflow(name: str) -> dict[Any, Any]:
    return cast("dict[Any, Any]", yaml.safe_load(WORKFLOWS[name]))


def triggers_of(name: str) -> dict[str, Any]:
    # YAML 1.1 reads `on` as true.
    return cast("dict[str, Any]", workflow(name)[True])


def test_these_are_all_workflows() -> None:
    assert set(WORKFLOWS) == {"ci", "deploy", "release"}


@EVERY
def test_an_action_is_pinned_by_a_commit_and_names_its_release(name: str) -> None:
    used = re.findall(r"uses: (?!\./)(.*)", WORKFLOWS[name])
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [action for action in used if not pinned.fullmatch(action)] == []


@EVERY
def test_a_workflow_may_read_and_no_more_unless_a_job_says_so(name: str) -> None:
    assert workflow(name)["permissions"] == {"contents": "read"}


@EVERY
def test_no_command_is_made_of_what_an_expression_yields(name: str) -> None:
    commands = re.findall(r"run: (?:\|\n)?((?:.*\n)(?: {10}.*\n)*)", WORKFLOWS[name])
    assert [command for command in commands if "${{" in command] == []


@EVERY
def test_a_checkout_leaves_no_token_behind(name: str) -> None:
    checkouts = WORKFLOWS[name].count("actions/checkout@")
    assert WORKFLOWS[name].count("persist-credentials: false") == checkouts


def test_ci_runs_all_that_must_hold() -> None:
    assert workflow("ci")["jobs"]["all"]["steps"][-1] == {"run": ".ci/run"}


def test_ci_covers_the_oldest_python_and_lambdas() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    oldest, lambdas = workflow("ci")["jobs"]["all"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={oldest}"
    runtime = TEMPLATE["Globals"]["Function"]
    assert runtime["Runtime"] == f"python{lambdas}"


def test_only_a_person_starts_a_deployment_to_an_environment_of_samconfig() -> None:
    assert set(triggers_of("deploy")) == {"workflow_dispatch"}
    choices = triggers_of("deploy")["workflow_dispatch"]["inputs"]["environment"]["options"]
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    assert {*choices, "default", "version"} == set(samconfig)


def test_a_deployment_follows_ci_and_only_it_gets_an_identity() -> None:
    jobs = workflow("deploy")["jobs"]
    assert jobs["build"]["needs"] == "ci"
    assert jobs["deploy"]["needs"] == "build"
    assert jobs["deploy"]["environment"] == "${{ inputs.environment }}"
    assert jobs["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert [name for name, job in jobs.items() if "permissions" in job] == ["deploy"]


def test_what_has_an_identity_builds_nothing_and_installs_the_sam_cli_alone() -> None:
    steps = workflow("deploy")["jobs"]["deploy"]["steps"]
    assert [step["run"].split()[:4] for step in steps if "run" in step] == [
        ["tar", "--extract", "--gzip", "--file"],
        ["make", ".venv/sam/bin/sam"],
        [".venv/sam/bin/sam", "deploy", "--config-env", '"$ENVIRONMENT"'],
    ]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    assert [re.split(r"\W", it, maxsplit=3)[:3] for it in groups["deploy"]] == [
        ["aws", "sam", "cli"]
    ]


def test_credentials_come_after_all_that_is_unpacked_or_installed() -> None:
    steps = workflow("deploy")["jobs"]["deploy"]["steps"]
    assert [step.get("uses", "").partition("@")[0] for step in steps[-2:]] == [
        "aws-actions/configure-aws-credentials",
        "",
    ]


def test_the_build_is_handed_over_and_replaces_no_file_of_the_checkout() -> None:
    jobs = workflow("deploy")["jobs"]
    (upload,) = [it["with"] for it in jobs["build"]["steps"] if "upload-artifact" in str(it)]
    (download,) = [it["with"] for it in jobs["deploy"]["steps"] if "download-artifact" in str(it)]
    assert (upload["name"], upload["if-no-files-found"]) == (download["name"], "error")
    packing = [it["run"] for it in jobs["build"]["steps"] if "tar" in it.get("run", "")]
    unpacking = [it["run"] for it in jobs["deploy"]["steps"] if "tar" in it.get("run", "")]
    assert packing == [f"tar --create --gzip --file {upload['path']} .aws-sam/build"]
    assert unpacking == [f"tar --extract --gzip --file {upload['path']} .aws-sam/build"]


def test_an_archive_that_holds_more_than_the_build_unpacks_the_build_alone(tmp_path: Path) -> None:
    (command,) = re.findall(r"run: (tar --extract .*)", WORKFLOWS["deploy"])
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "Makefile").write_text("ours")
    with tarfile.open(checkout / "build.tar.gz", "w:gz") as archive:
        for name in (".aws-sam/build/template.yaml", "Makefile", ".aws-sam/build/../../Makefile"):
            member = tarfile.TarInfo(name)
            member.size = len(b"theirs")
            archive.addfile(member, BytesIO(b"theirs"))
    run(command.split(), checkout)
    assert (checkout / ".aws-sam/build/template.yaml").read_text() == "theirs"
    assert (checkout / "Makefile").read_text() == "ours"


def test_a_release_follows_ci_and_what_builds_it_gets_no_identity() -> None:
    assert triggers_of("release") == {"push": {"tags": ["v*"]}}
    jobs = workflow("release")["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "ci": None,
        "build": "ci",
        "attest": "build",
        "publish": "attest",
    }
    assert {name: job.get("permissions") for name, job in jobs.items()} == {
        "ci": None,
        "build": None,
        "attest": {"attestations": "write", "contents": "write", "id-token": "write"},
        "publish": {"id-token": "write"},
    }
    assert jobs["publish"]["environment"] == "pypi"


def test_the_packages_that_make_dist_builds_are_published_with_attestations() -> None:
    *_, publish = workflow("release")["jobs"]["publish"]["steps"]
    assert publish["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert publish["with"] == {"packages-dir": PACKAGES, "attestations": True}


def test_a_release_is_of_the_version_that_the_project_states(tmp_path: Path) -> None:
    (command,) = [
        each["run"]
        for each in workflow("release")["jobs"]["build"]["steps"]
        if "GITHUB_REF_NAME" in each.get("run", "")
    ]
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    for tag, status in ((f"v{version}", 0), (f"v{version}0", 1), ("v9.9.9", 1)):
        assert run(["sh", "-c", command], tmp_path, GITHUB_REF_NAME=tag)[0] == status


def test_what_has_an_identity_of_a_release_runs_nothing_that_was_built() -> None:
    jobs = workflow("release")["jobs"]
    commands = {
        name: [step["run"].split()[:3] for step in jobs[name]["steps"] if "run" in step]
        for name in ("attest", "publish")
    }
    assert commands == {
        "attest": [["gh", "release", "create"]],
        "publish": [],
    }


def test_a_release_is_attested_whole() -> None:
    steps = workflow("release")["jobs"]["attest"]["steps"]
    (attested,) = [step["with"] for step in steps if "attest@" in step.get("uses", "")]
    (created,) = [step["run"] for step in steps if "gh release" in step.get("run", "")]
    assert attested["subject-path"] in created


def test_no_stored_key_of_aws_is_used() -> None:
    assert [name for name, text in WORKFLOWS.items() if "secrets." in text] == []


def test_the_deploy_role_is_for_jobs_of_its_environment_alone() -> None:
    role = parse_yaml(ROLES)["Resources"]["DeployRole"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": {"Fn::Sub": "repo:${Repository}:environment:${EnvironmentName}"},
        }
    }


def test_a_session_of_the_deploy_role_outlives_the_slowest_shift() -> None:
    role = parse_yaml(ROLES)["Resources"]["DeployRole"]["Properties"]
    (asked,) = re.findall(r"role-duration-seconds: (\d+)", WORKFLOWS["deploy"])
    assert int(asked) == role["MaxSessionDuration"]


ACCOUNT: Final = "123456789012"
BOUNDARY: Final = f"arn:aws:iam::{ACCOUNT}:policy/keyscope-deployment/keyscope-prod-boundary"
VALUES: Final = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": ACCOUNT,
    "EnvironmentName": "prod",
    "Repository": "example/keyscope",
    "Boundary": BOUNDARY,
}


def resolved(value: object) -> object:
    """Return a value of the roles' template for prod; references to other resources stay."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: VALUES[found[1]], text)
        case {"Ref": str(name)} if name in VALUES:
            return VALUES[name]
        case dict():
            return {name: resolved(each) for name, each in value.items()}
        case list():
            return [resolved(each) for each in value]
        case _:
            return value


RESOURCES: Final = cast("dict[str, Json]", resolved(parse_yaml(ROLES)["Resources"]))


def allowed(properties: Json) -> list[Json]:
    """Return the statements of a role or of a managed policy."""
    policies = cast("list[Json]", properties.get("Policies", [properties]))
    documents = [cast("Json", policy["PolicyDocument"]) for policy in policies]
    return [each for document in documents for each in cast("list[Json]", document["Statement"])]


def of_role(name: str) -> list[Json]:
    return allowed(cast("Json", RESOURCES[name]["Properties"]))


def listed(value: object) -> list[str]:
    return cast("list[str]", value) if isinstance(value, list) else [cast("str", value)]


def actions(statements: Iterable[Json]) -> set[str]:
    return {action for each in statements for action in listed(each["Action"])}


@pytest.fixture(scope="module")
def deployed() -> Stack:
    parameters = {"HttpApiEnabled": "true", "TrafficShifting": "Canary10Percent10Minutes"}
    return load_stack(ROOT / "template.yaml", parameters)


def test_no_deployment_may_delete_a_key_use_it_or_write_its_policy() -> None:
    may = {it for it in actions(of_role("ExecutionRole")) if it.startswith("kms:")}
    assert may == {
        "kms:CreateKey",
        "kms:DescribeKey",
        "kms:EnableKeyRotation",
        "kms:Get*",
        "kms:List*",
    }


GIVES_PERMISSIONS: Final = {
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
}


def test_a_deployment_gives_permissions_to_roles_with_the_boundary_alone() -> None:
    boundary = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    giving = [
        each for each in of_role("ExecutionRole") if GIVES_PERMISSIONS & {*listed(each["Action"])}
    ]
    assert [each.get("Condition") for each in giving] == [boundary]


@pytest.mark.parametrize("role", ["DeployRole", "ExecutionRole"])
def test_no_deployment_changes_a_boundary_a_policy_or_a_role_with_a_path(role: str) -> None:
    iam = [it for it in of_role(role) if any("iam:" in each for each in listed(it["Action"]))]
    forbidden = r"iam:(\*|DeleteRolePermissionsBoundary|\w*PolicyVersion|\w*User\w*)"
    assert [it for it in actions(iam) if re.fullmatch(forbidden, it)] == []
    own = "arn:aws:iam::123456789012:role/keyscope-deployment/"
    if role == "ExecutionRole":
        reached = [it for each in iam for it in listed(each["Resource"])]
        assert [it for it in reached if fnmatchcase(f"{own}keyscope-prod-x", it)] == []
    assert cast("Json", RESOURCES[role]["Properties"])["Path"] == "/keyscope-deployment/"


@pytest.mark.parametrize("role", TEMPLATE_ROLES)
def test_the_boundary_covers_what_a_role_of_the_stack_may_do(role: str, deployed: Stack) -> None:
    bounds = json.loads(json.dumps(of_role("Boundary")).replace("keyscope-prod", "keyscope-local"))
    uncovered = [
        (action, resource)
        for statement in allowed(properties_of(deployed, role))
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not any(covers(bound, action, resource, statement.get("Condition")) for bound in bounds)
    ]
    assert uncovered == []


def covers(bound: Json, action: str, resource: str, condition: object) -> bool:
    return (
        any(fnmatchcase(action, each) for each in listed(bound["Action"]))
        and any(fnmatchcase(resource, each) for each in listed(bound["Resource"]))
        and bound.get("Condition", condition) == condition
    )


def test_every_role_of_the_stack_takes_the_boundary() -> None:
    stack = load_stack(
        ROOT / "template.yaml",
        {
            "TrafficShifting": "Canary10Percent10Minutes",
            "PermissionsBoundary": "keyscope-deployment/keyscope-prod-boundary",
        },
    )
    bounded = {
        name: properties_of(stack, name).get("PermissionsBoundary")
        for name, resource in stack.resources.items()
        if resource["Type"] == "AWS::IAM::Role"
    }
    policy = "arn:aws:iam::123456789012:policy/keyscope-deployment/keyscope-prod-boundary"
    assert bounded == dict.fromkeys(TEMPLATE_ROLES, policy)


def test_the_boundarys_name_is_told() -> None:
    told = resolved(parse_yaml(ROLES)["Outputs"]["BoundaryName"]["Value"])
    boundary = cast("Json", RESOURCES["Boundary"]["Properties"])
    assert f"/{told}" == f"{boundary['Path']}{boundary['ManagedPolicyName']}"
    assert BOUNDARY.endswith(f":policy/{told}")


def test_a_deployment_works_on_the_stacks_own_layers_alone() -> None:
    layers = [name for name, it in TEMPLATE["Resources"].items() if "LayerVersion" in it["Type"]]
    (statement,) = [
        each
        for each in of_role("ExecutionRole")
        if "lambda:PublishLayerVersion" in listed(each["Action"])
    ]
    named = [it.rpartition(":layer:")[2] for it in listed(statement["Resource"])]
    assert named == sorted(f"{layer}*" for layer in layers)


def test_a_deployment_maps_event_sources_to_functions_of_its_stack_alone() -> None:
    (statement,) = [
        each
        for each in of_role("ExecutionRole")
        if "lambda:CreateEventSourceMapping" in listed(each["Action"])
    ]
    function = "arn:aws:lambda:us-east-1:123456789012:function:keyscope-prod-*"
    assert statement["Condition"] == {"ArnLike": {"lambda:FunctionArn": function}}


def test_a_deployment_works_on_apis_and_nothing_else_of_api_gateway() -> None:
    paths = {
        it.partition("::/")[2]
        for each in of_role("ExecutionRole")
        if "apigateway:PATCH" in listed(each["Action"])
        for it in listed(each["Resource"])
    }
    assert paths == {"apis", "apis/*", "restapis", "restapis/*", "tags/*"}
