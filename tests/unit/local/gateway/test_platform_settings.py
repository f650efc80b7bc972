"""What the local gateway is told to assume of API Gateway, on the command line."""

import pytest

from keyscope_local.gateway.api_definition import ASSUMED, ApiKind
from keyscope_local.gateway.platform_behavior import (
    PlatformBehavior,
    RepeatedHeader,
    without_conditions,
)
from keyscope_local.gateway.platform_settings import WrongBehavior, read_behaviors
from tests.support.local_gateway import policy

IN_2030 = {"aws:CurrentTime": "2030-01-01T00:00:00Z"}


def test_without_settings_each_kind_of_api_behaves_as_assumed() -> None:
    assert read_behaviors("") == ASSUMED


def test_a_setting_changes_one_kind_of_api_alone() -> None:
    behaviors = read_behaviors("rest.caches_errors=true rest.max_policy_bytes=4096")
    changed = PlatformBehavior(caches_errors=True, max_policy_bytes=4_096)
    assert behaviors == {**ASSUMED, ApiKind.REST: changed}


def test_a_setting_may_be_one_of_several_words() -> None:
    behavior = read_behaviors("http.repeated_header=first")[ApiKind.HTTP]
    assert behavior.repeated_header is RepeatedHeader.FIRST


@pytest.mark.parametrize(
    "text",
    [
        "rest.unknown=true",
        "websocket.caches_errors=true",
        "caches_errors=true",
        "rest.caches_errors",
        "rest.caches_errors=yes",
        "rest.max_policy_bytes=many",
        "rest.repeated_header=none",
    ],
)
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(WrongBehavior):
        read_behaviors(text)


def test_only_the_conditions_that_are_passed_over_leave_a_policy() -> None:
    limits = {"DateLessThan": IN_2030, "IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    left = without_conditions(
        policy("*", condition=limits), PlatformBehavior(evaluates_source_address=False)
    )
    assert left == policy("*", condition={"DateLessThan": IN_2030})


def test_a_policy_without_any_condition_left_has_none() -> None:
    limited = policy("*", condition={"DateLessThan": IN_2030})
    assert without_conditions(limited, PlatformBehavior(evaluates_time=False)) == policy("*")
