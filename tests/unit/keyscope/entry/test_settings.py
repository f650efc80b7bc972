from pathlib import Path

import pytest

from keyscope.entry.settings import (
    read_authorizer_settings,
    read_cache_flush_settings,
    read_expiry_sweep_settings,
    read_key_use_settings,
    read_provisioning_settings,
)
from keyscope.errors import Misconfigured

REQUIRED = {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "arn:aws:kms:key"}


def refusal_of(**variables: str) -> str:
    with pytest.raises(Misconfigured) as misconfigured:
        read_authorizer_settings({**REQUIRED, **variables})
    return str(misconfigured.value)


def test_the_tables_and_the_kms_key_are_enough() -> None:
    settings = read_authorizer_settings(REQUIRED)
    assert (settings.keys_table, settings.kms_key_arn) == ("keys", "arn:aws:kms:key")
    assert (settings.route_sets, settings.max_stage_length) == (("v2", "v1.1-short"), 10)
    assert (settings.key_cache_seconds, settings.key_cache_entries) == (30, 10_000)
    assert (settings.stale_seconds, settings.leeway_seconds) == (900, 0)
    assert settings.policy_conditions
    assert (settings.log_level, settings.metrics_namespace) == ("INFO", "Keyscope")
    assert settings.log_allowed_sample == 1
    assert '["v2"]' in settings.access_map


def test_an_empty_variable_takes_its_default() -> None:
    settings = read_authorizer_settings({**REQUIRED, "KEYSCOPE_STALE_SECONDS": ""})
    assert settings.stale_seconds == 900


def test_several_route_sets_are_separated_by_commas() -> None:
    settings = read_authorizer_settings({**REQUIRED, "KEYSCOPE_ROUTES": "v2, v1.1"})
    assert settings.route_sets == ("v2", "v1.1")


def test_conditions_can_be_turned_off() -> None:
    settings = read_authorizer_settings({**REQUIRED, "KEYSCOPE_POLICY_CONDITIONS": "false"})
    assert not settings.policy_conditions


def test_another_access_map_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "scopes.toml"
    path.write_text("# mine", "utf-8")
    settings = read_authorizer_settings({**REQUIRED, "KEYSCOPE_ACCESS_MAP": str(path)})
    assert settings.access_map == "# mine"


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("KEYSCOPE_KEY_CACHE_SECONDS", "301", "a whole number from 0 to 300"),
        ("KEYSCOPE_KEY_CACHE_SECONDS", "-1", "a whole number from 0 to 300"),
        ("KEYSCOPE_KEY_CACHE_SECONDS", "1.5", "a whole number from 0 to 300"),
        ("KEYSCOPE_KEY_CACHE_SECONDS", "²", "a whole number from 0 to 300"),
        ("KEYSCOPE_KEY_CACHE_ENTRIES", "0", "a whole number from 1 to 100000"),
        ("KEYSCOPE_STALE_SECONDS", "3601", "a whole number from 0 to 3600"),
        ("KEYSCOPE_LEEWAY_SECONDS", "61", "a whole number from 0 to 60"),
        ("KEYSCOPE_MAX_STAGE_LENGTH", "129", "a whole number from 1 to 128"),
        ("KEYSCOPE_POLICY_CONDITIONS", "yes", "one of true, false"),
        ("KEYSCOPE_AWS_CLIENT", "boto3", "one of lean, botocore"),
        ("KEYSCOPE_LOG_ALLOWED_SAMPLE", "0", "a whole number from 1 to 10000"),
        ("KEYSCOPE_LOG_LEVEL", "TRACE", "one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_bad_value_is_named_with_what_it_takes(name: str, value: str, takes: str) -> None:
    assert refusal_of(**{name: value}) == f"{name} is {value!r}; it must be {takes}"


def test_a_file_that_cannot_be_read_is_named() -> None:
    assert "KEYSCOPE_ACCESS_MAP is '/nowhere'" in refusal_of(KEYSCOPE_ACCESS_MAP="/nowhere")


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(Misconfigured) as misconfigured:
        read_authorizer_settings({"KEYSCOPE_LOG_LEVEL": "x"})
    assert str(misconfigured.value).count(";") == 3


def test_the_provisioning_function_needs_its_tables_the_kms_key_and_the_queue() -> None:
    with pytest.raises(Misconfigured) as misconfigured:
        read_provisioning_settings({})
    assert str(misconfigured.value) == (
        "KEYSCOPE_KEYS_TABLE is not set; KEYSCOPE_DIRECTORY_TABLE is not set;"
        " KEYSCOPE_KMS_KEY_ARN is not set; KEYSCOPE_USE_TABLE is not set;"
        " KEYSCOPE_FLUSH_QUEUE_URL is not set"
    )


def test_the_key_use_function_needs_its_table() -> None:
    with pytest.raises(Misconfigured, match=r"^KEYSCOPE_USE_TABLE is not set$"):
        read_key_use_settings({})


def test_what_does_not_say_that_it_sees_all_use_does_not() -> None:
    required = {
        f"KEYSCOPE_{name}": "x"
        for name in (
            *("KEYS_TABLE", "DIRECTORY_TABLE", "KMS_KEY_ARN", "USE_TABLE", "FLUSH_QUEUE_URL"),
        )
    }
    assert not read_provisioning_settings(required).sees_all_use
    sees_all = {**required, "KEYSCOPE_SEES_ALL_USE": "true"}
    assert read_provisioning_settings(sees_all).sees_all_use


def test_the_cache_flush_function_needs_the_rest_api_and_its_stage() -> None:
    with pytest.raises(Misconfigured) as misconfigured:
        read_cache_flush_settings({"KEYSCOPE_LOG_LEVEL": "x"})
    assert str(misconfigured.value) == (
        "KEYSCOPE_REST_API_ID is not set; KEYSCOPE_STAGE_NAME is not set;"
        " KEYSCOPE_LOG_LEVEL is 'x'; it must be one of DEBUG, INFO, WARNING, ERROR"
    )


@pytest.mark.parametrize(("variables", "api_id"), [({}, ""), ({"KEYSCOPE_HTTP_API_ID": "h"}, "h")])
def test_the_cache_flush_function_may_have_an_http_api(
    variables: dict[str, str], api_id: str
) -> None:
    required = {"KEYSCOPE_REST_API_ID": "r", "KEYSCOPE_STAGE_NAME": "prod"}
    settings = read_cache_flush_settings({**required, **variables})
    assert settings.http_api_id == api_id
    assert (settings.log_level, settings.metrics_namespace) == ("INFO", "Keyscope")


def test_the_expiry_sweep_needs_the_keys_and_a_table_for_its_notes() -> None:
    with pytest.raises(Misconfigured) as misconfigured:
        read_expiry_sweep_settings({})
    assert str(misconfigured.value) == (
        "KEYSCOPE_KEYS_TABLE is not set; KEYSCOPE_EXPIRY_WARNINGS_TABLE is not set"
    )


@pytest.mark.parametrize("value", ["0", "-1", "1000001", "many"])
def test_the_limit_of_apps_is_a_number_from_one_to_a_million(value: str) -> None:
    required = {
        f"KEYSCOPE_{name}": "x"
        for name in (
            *("KEYS_TABLE", "DIRECTORY_TABLE", "KMS_KEY_ARN", "USE_TABLE", "FLUSH_QUEUE_URL"),
        )
    }
    assert read_provisioning_settings(required).max_apps_per_creator == 1_000
    with pytest.raises(Misconfigured, match=r"KEYSCOPE_MAX_APPS_PER_CREATOR is .*1 to 1000000"):
        read_provisioning_settings({**required, "KEYSCOPE_MAX_APPS_PER_CREATOR": value})
