"""`keyscope doctor`: checks the health of a stack."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import typer

from keyscope.access.access_map import read_access_map
from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings
from keyscope.errors import Misconfigured
from keyscope_cli.authorizer_checks import (
    attachment_findings,
    cache_finding,
    function_findings,
    http_authorizers,
    map_layer_findings,
    rest_authorizers,
    settings_findings,
)
from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.findings import CheckVerdict, Finding, run_check
from keyscope_cli.help_text import examples
from keyscope_cli.local_session import LocalSession
from keyscope_cli.operation_checks import (
    DEAD_LETTERS,
    alarm_findings,
    clock_findings,
    dead_letter_findings,
    refusal_findings,
)
from keyscope_cli.options import TargetOptions, with_options
from keyscope_cli.output import Output, counted
from keyscope_cli.store_checks import permission_finding, sealing_key_findings, table_findings
from keyscope_cli.target import Target, output_of

EXAMPLES = examples("doctor --stack keyscope", "doctor --local")
ALARM_TYPE = "AWS::CloudWatch::Alarm"
TABLES = {"KeysTableName": "keys table", "DirectoryTableName": "directory table"}
"""The outputs that name the tables, with a readable name for each."""


@with_options(TargetOptions)
def doctor(options: TargetOptions) -> None:
    """Check the health of a stack.

    Shows what to do about each problem and warning.
    """
    target = options.target()
    look = _deployed(target) if target.session is None else _local(target, target.session)
    findings: list[Finding] = []
    with options.output.progress("Checking the stack") as tell:
        for finding in look:
            findings.append(finding)
            tell(f"Checking the stack: {finding.check}")
    if options.as_json:
        options.output.json({"findings": [finding.members() for finding in findings]})
    else:
        _show(options.output, findings)
    if any(finding.verdict is CheckVerdict.PROBLEM for finding in findings):
        raise typer.Exit(ExitStatus.NO)


def _deployed(target: Target) -> Iterator[Finding]:
    outputs = target.outputs()
    resources = _resources_of(target)
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
    aws = target.aws
    yield from _tables(target, outputs, deployed=True)
    yield from run_check(
        "KMS key", lambda: sealing_key_findings(aws, outputs["SecretsKeyArn"], deployed=True)
    )
    rest_arn, http_arn = outputs["RestAuthorizerArn"], outputs["HttpAuthorizerArn"]
    yield from run_check("authorizer", lambda: function_findings(aws, "authorizer", rest_arn))
    yield from run_check(
        "HTTP authorizer", lambda: function_findings(aws, "HTTP authorizer", http_arn)
    )
    readers = {"authorizer": rest_arn, "HTTP authorizer": http_arn}
    if "ExplanationFunction" in ids:
        readers["explanations"] = ids["ExplanationFunction"]
    yield from run_check("access map layer", lambda: map_layer_findings(aws, readers))
    settings = _settings_of(target)
    yield from _permissions(target, outputs, settings)
    yield from run_check(
        "REST API",
        lambda: attachment_findings(
            "REST API", rest_authorizers(aws, ids["RestApi"]), rest_arn, settings
        ),
    )
    if "HttpApi" in ids:
        yield from run_check(
            "HTTP API",
            lambda: attachment_findings(
                "HTTP API", http_authorizers(aws, ids["HttpApi"]), http_arn, settings
            ),
        )
    yield from refusal_findings(outputs["RestApiUrl"])
    alarms = [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == ALARM_TYPE]
    yield from run_check("alarms", lambda: alarm_findings(aws, alarms))
    for queue, (check, advice) in DEAD_LETTERS.items():
        look = partial(dead_letter_findings, aws, ids[queue], check, advice)
        yield from run_check(check, look)
    yield from run_check("this machine's clock", lambda: clock_findings(aws))


def _local(target: Target, session: LocalSession) -> Iterator[Finding]:
    """Check a local run, which has no alarms or aliases, and this machine's clock."""
    variables = target.authorizer_variables()
    with told_failures():
        # Without the run, every check would fail in the same way.
        target.aws.client("dynamodb").list_tables(Limit=1)
    yield from _tables(target, target.outputs(), deployed=False)
    arn = variables["KEYSCOPE_KMS_KEY_ARN"]
    yield from run_check("KMS key", lambda: sealing_key_findings(target.aws, arn, deployed=False))
    yield from settings_findings("authorizer", lambda: read_authorizer_settings(variables))
    yield from _permissions(target, target.outputs(), _settings_of(target))
    ttl_seconds = int(session.stack["parameters"]["AuthorizerCacheSeconds"])
    yield cache_finding("REST API: caches", ttl_seconds, target.authorizer_settings())
    yield from refusal_findings(target.management_url())


def _tables(target: Target, outputs: Mapping[str, str], *, deployed: bool) -> Iterator[Finding]:
    """Check the tables that the stack uses, which may belong to another stack."""
    for output, check in TABLES.items():
        name, has_keys = output_of(outputs, output), output == "KeysTableName"
        look = partial(
            table_findings, target.aws, check, name, has_keys=has_keys, deployed=deployed
        )
        yield from run_check(check, look)


def _permissions(
    target: Target, outputs: Mapping[str, str], settings: AuthorizerSettings | None
) -> Iterator[Finding]:
    try:
        known = read_access_map(settings.access_map, settings.route_sets) if settings else None
    except Misconfigured:
        known = None
    if known is None:
        # The check of the settings reports it.
        return
    table, names = output_of(outputs, "KeysTableName"), known.permissions
    yield from run_check(
        "key permissions", lambda: iter([permission_finding(target.aws, table, names)])
    )


def _resources_of(target: Target) -> Sequence[Mapping[str, Any]]:
    client = target.aws.client("cloudformation")
    with told_failures():
        pages = client.get_paginator("list_stack_resources").paginate(StackName=target.stack_name)
        return [one for page in pages for one in page["StackResourceSummaries"]]


def _settings_of(target: Target) -> AuthorizerSettings | None:
    try:
        return target.authorizer_settings()
    except Failure:
        # The check of the settings reports it.
        return None


def _show(output: Output, findings: Sequence[Finding]) -> None:
    output.table(
        ("Verdict", "Check", "Found"),
        [(finding.verdict.value, finding.check, finding.found) for finding in findings],
    )
    for finding in findings:
        if finding.advice:
            output.line()
            output.prose(f"{finding.verdict.value.capitalize()}, {finding.check}: {finding.advice}")
    counts = dict.fromkeys(CheckVerdict, 0)
    for finding in findings:
        counts[finding.verdict] += 1
    output.line()
    ok, warnings, problems = (counts[each] for each in CheckVerdict)
    output.line(
        f"{ok} ok, {counted(warnings, 'warning', 'warnings')},"
        f" {counted(problems, 'problem', 'problems')}"
    )
