"""The GitHub Actions workflows: pinned, with few permissions, and fit for what they deploy."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml
from cfnlint.api import lint_all
from samcli.yamlhelper import yaml_parse

ROOT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = {
    path.stem: path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
ROLES: Final = (ROOT / "deploy" / "github-actions.yaml").read_text("utf-8")
EVERY: Final = pytest.mark.parametrize("name", WORKFLOWS)


def workflow(name: str) -> dict[Any, Any]:
    return cast("dict[Any, Any]", yaml.safe_load(WORKFLOWS[name]))


def triggers_of(name: str) -> dict[str, Any]:
    # YAML 1.1 reads `on` as true.
    return cast("dict[str, Any]", workflow(name)[True])


def test_these_are_all_workflows() -> None:
    assert set(WORKFLOWS) == {"ci", "deploy"}


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
    runtime = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))["Globals"]["Function"]
    assert runtime["Runtime"] == f"python{lambdas}"


def test_only_a_person_starts_a_deployment_to_an_environment_of_samconfig() -> None:
    assert set(triggers_of("deploy")) == {"workflow_dispatch"}
    choices = triggers_of("deploy")["workflow_dispatch"]["inputs"]["environment"]["options"]
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    assert {*choices, "default", "version"} == set(samconfig)


def test_a_deployment_follows_ci_and_only_it_gets_an_identity() -> None:
    jobs = workflow("deploy")["jobs"]
    assert jobs["deploy"]["needs"] == "ci"
    assert jobs["deploy"]["environment"] == "${{ inputs.environment }}"
    assert jobs["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert "permissions" not in jobs["ci"]


def test_no_stored_key_of_aws_is_used() -> None:
    assert [name for name, text in WORKFLOWS.items() if "secrets." in text] == []


def test_the_roles_template_is_sound() -> None:
    assert [it for it in lint_all(ROLES) if it.rule.severity != "informational"] == []


def test_the_deploy_role_is_for_jobs_of_its_environment_alone() -> None:
    role = yaml_parse(ROLES)["Resources"]["DeployRole"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": {"Fn::Sub": "repo:${Repository}:environment:${EnvironmentName}"},
        }
    }


def test_a_session_of_the_deploy_role_outlives_the_slowest_shift() -> None:
    role = yaml_parse(ROLES)["Resources"]["DeployRole"]["Properties"]
    (asked,) = re.findall(r"role-duration-seconds: (\d+)", WORKFLOWS["deploy"])
    assert int(asked) == role["MaxSessionDuration"]


def test_no_deployment_may_delete_a_key_or_use_it() -> None:
    assert re.findall(r"kms:(?:Schedule\w+|Decrypt|\*)", ROLES) == []
