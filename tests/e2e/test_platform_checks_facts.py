"""Each check of the canary can fail: the local gateway is told to behave otherwise."""

from typing import Final

import pytest

from platform_checks.checks import CHECKS
from platform_checks.facts import Check, Found
from tests.support.platform_checks import results_by_name

pytestmark = pytest.mark.canary

BEYOND_REACH: Final = {
    "rest-unauthorized-counts-as-error",
    "rest-arn-without-base-path",
    "rest-vpc-source-ip",
    "rest-cold-start-as-set",
    "http-cold-start-as-set",
    "rest-failure-reported",
    "rest-json-log-unchanged",
    "rest-json-log-metrics",
}
IN_DOUBT_WITH: Final = {
    # What asks a cache cannot tell anything where nothing is cached.
    "caches_allows": {"time-condition", "flush", "quotes-in-context"},
    "decodes_path": {"decoded-characters"},
    "arn_is_decoded": {"decoded-characters"},
    "arn_is_route_template": {
        "climbing-deny",
        "decoded-characters",
        "arn-decoded",
        "arn-inner-slashes",
        "arn-trailing-slash",
        "arn-dot-segments",
    },
    # Without an authorizer, there is no ARN to check.
    "trailing_slash_skips_authorizer": {"arn-trailing-slash"},
}
SHOWN: Final = [check for check in CHECKS if check.local_setting]


def test_the_local_gateway_reproduces_every_answer_that_is_expected() -> None:
    results = results_by_name("")
    assert {
        name for name, each in results.items() if each.is_otherwise or each.is_in_doubt
    } == set()
    assert {name for name, each in results.items() if each.observation.beyond_reach} == BEYOND_REACH


def test_only_what_a_machine_cannot_show_has_no_setting_of_the_gateway() -> None:
    assert {check.name for check in CHECKS} - {check.name for check in SHOWN} == BEYOND_REACH


@pytest.mark.parametrize("check", SHOWN, ids=lambda check: check.name)
def test_a_platform_that_behaves_otherwise_fails_this_check_alone(check: Check) -> None:
    kind, _, setting = check.local_setting.partition(".")
    doubtful = {f"{kind}-{name}" for name in IN_DOUBT_WITH.get(setting.partition("=")[0], ())}
    in_doubt = doubtful & {each.name for each in SHOWN}
    of_this_kind = tuple(each for each in SHOWN if each.name.startswith(kind))
    results = results_by_name(check.local_setting, of_this_kind)
    assert {name for name, each in results.items() if each.is_otherwise} == {check.name}
    assert {name for name, each in results.items() if each.is_in_doubt} == in_doubt


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_the_limit_of_a_policy_is_found_within_64_bytes(kind: str) -> None:
    name = f"{kind}-policy-size"
    checks = tuple(check for check in CHECKS if check.name == name)
    observation = results_by_name(f"{kind}.max_policy_bytes=20000", checks)[name].observation
    taken, _, _, _, refused, _, _ = observation.detail.split()
    assert int(taken) <= 20_000 < int(refused)
    assert int(refused) - int(taken) <= 64
    assert observation.found is Found.YES
