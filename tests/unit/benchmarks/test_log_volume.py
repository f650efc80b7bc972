"""What simulated decisions are taken to cost in CloudWatch."""

from typing import Final

import pytest

from benchmarks.log_volume import FAILED_INVOCATION_BYTES, telemetry_of
from benchmarks.traffic import Counts
from keyscope.authorize.decision import Decision, Outcome
from keyscope.errors import Reason
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.key_record import RecordSource
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import Scope
from tests.support.builders import APP

KEY_ID: Final = new_key_id(OwnerType.APP)
ALLOWED: Final = Decision(
    outcome=Outcome.ALLOWED,
    total_ms=1.2,
    credential_kind=CredentialKind.BASIC,
    key_id=KEY_ID,
    record_source=RecordSource.CACHE,
    principal=Principal(Scope.APP, KEY_ID, OwnerType.APP, APP),
)
REFUSED: Final = Decision(outcome=Outcome.REFUSED, total_ms=1.2, reason=Reason.WRONG_SECRET)


def telemetry(sample: int = 1, **decisions: tuple[Decision, int]) -> tuple[float, int]:
    counts = Counts(invocations=sum(number for _, number in decisions.values()))
    for name, (decision, number) in decisions.items():
        counts.examples[name,] = decision
        counts.decisions[name,] = number
    return telemetry_of(counts, sample)


def test_an_allowed_decision_costs_its_line_alone() -> None:
    size, _ = telemetry(allowed=(ALLOWED, 7))
    assert 600 < size < 760


def test_a_refusal_costs_what_lambda_logs_of_it_too() -> None:
    size, _ = telemetry(refused=(REFUSED, 1))
    assert size > FAILED_INVOCATION_BYTES + 400


def test_a_sample_of_a_hundred_leaves_lines_of_metrics_of_allowed_decisions_alone() -> None:
    size, metrics = telemetry(100, allowed=(ALLOWED, 7))
    assert 200 < size < 260
    assert metrics == telemetry(allowed=(ALLOWED, 7))[1]
    assert telemetry(100, refused=(REFUSED, 1)) == telemetry(refused=(REFUSED, 1))


def test_ordinary_traffic_has_three_metrics() -> None:
    # DecisionTime, Refused and PolicyBytes.
    assert telemetry(allowed=(ALLOWED, 7), refused=(REFUSED, 1))[1] == 3


def test_the_average_is_by_invocation() -> None:
    both, _ = telemetry(allowed=(ALLOWED, 3), refused=(REFUSED, 1))
    apart = [telemetry(one=(decision, 1))[0] for decision in (ALLOWED, REFUSED)]
    assert both == pytest.approx(apart[0] * 0.75 + apart[1] * 0.25)
