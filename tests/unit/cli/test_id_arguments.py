import pytest

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.id_arguments import IdKind, checked_account, checked_id


@pytest.mark.parametrize("kind", IdKind)
def test_a_malformed_id_is_rejected_with_an_example_of_one_that_is_not(kind: IdKind) -> None:
    assert checked_id(kind, kind.example) == kind.example
    with pytest.raises(Failure) as failed:
        checked_id(kind, "nope")
    assert failed.value.status is ExitStatus.USAGE
    assert failed.value.message == f"Malformed {kind.title}: 'nope'."
    assert kind.example in failed.value.advice
    assert f"keyscope {kind.listed_by}" in failed.value.advice


@pytest.mark.parametrize("text", ["", "../x", "4f1c0a9b2d3e00005e8c1f02/keys", "?", "\n", "é"])
@pytest.mark.parametrize("kind", IdKind)
def test_an_id_is_always_one_segment_of_a_path(kind: IdKind, text: str) -> None:
    with pytest.raises(Failure):
        checked_id(kind, text)


def test_an_id_of_another_kind_is_recognized() -> None:
    with pytest.raises(Failure) as failed:
        checked_id(IdKind.APP, IdKind.KEY.example)
    assert failed.value.message.endswith(" looks like a key ID.")


@pytest.mark.parametrize("text", [IdKind.ACCOUNT.example, "acme", "Named-1"])
def test_an_account_is_named_by_either_of_its_ids(text: str) -> None:
    assert checked_account(text) == text


@pytest.mark.parametrize("text", ["", "0" * 24, "a/b", "act 1"])
def test_what_is_neither_id_of_an_account_is_malformed(text: str) -> None:
    with pytest.raises(Failure) as failed:
        checked_account(text)
    assert "Malformed account ID" in failed.value.message
    assert "external ID" in failed.value.advice
