"""The environment of a function, read and checked as a whole."""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple, TypeVar

from keyscope.access.checked_map import PACKAGED_MAP, read_beside
from keyscope.access.method_arn import LONGEST_REGION, MAX_STAGE_LENGTH
from keyscope.errors import Misconfigured
from keyscope.records import dataclass

_T = TypeVar("_T")

DEFAULT_ROUTE_SETS = "v2,v1.1-short"
"""The route sets of the packaged map that serve both generations of Sunshine clients."""

DEFAULT_MAX_STAGE_LENGTH = 10
"""Characters. At this length, the policies of v2 with either set of v1.1 fit their budget."""

DEFAULT_MAX_APPS_PER_CREATOR = 1_000

CONTAINER_MB = 90
"""The memory that an authorizer needs besides its cache, in MB."""
CACHE_ENTRY_BYTES = 3_400
"""The largest memory use of one of `KEYSCOPE_KEY_CACHE_ENTRIES`, in bytes: a rotated key with the
most CIDRs and permissions, an unknown id, and a decrypted secret."""
_MB = 1_048_576
_UNKNOWN_MEMORY_MB = 2**31


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """The settings of an authorizer function; `template.yaml` sets and explains them."""

    keys_table: str
    kms_key_arn: str
    access_map: str
    route_sets: tuple[str, ...]
    max_stage_length: int
    region: str
    key_cache_seconds: int
    key_cache_entries: int
    stale_seconds: int
    leeway_seconds: int
    policy_conditions: bool
    uses_botocore: bool
    log_level: str
    log_allowed_sample: int
    metrics_namespace: str


# The authorizers import the settings of the other functions with their own. As data classes, these
# would cost them five times as much at start.


class ProvisioningSettings(NamedTuple):
    """The settings of the provisioning function and of the management function."""

    keys_table: str
    directory_table: str
    kms_key_arn: str
    use_table: str
    sees_all_use: bool
    flush_queue_url: str
    key_cache_seconds: int
    max_apps_per_creator: int
    event_bus: str
    log_level: str
    metrics_namespace: str


class KeyUseSettings(NamedTuple):
    """The settings of the key use function."""

    use_table: str
    log_level: str
    metrics_namespace: str


class CacheFlushSettings(NamedTuple):
    """The settings of the cache flush function; `http_api_id` is empty if there is no HTTP API."""

    rest_api_id: str
    stage_name: str
    http_api_id: str
    log_level: str
    metrics_namespace: str


class ExpirySweepSettings(NamedTuple):
    """The settings of the expiry sweep function."""

    keys_table: str
    warnings_table: str
    event_bus: str
    log_level: str
    metrics_namespace: str


def read_authorizer_settings(environment: Mapping[str, str]) -> AuthorizerSettings:
    """Read the settings of an authorizer.

    Raises:
        Misconfigured: with every invalid variable and its allowed values.
    """
    reader = _Reader(environment)
    settings = AuthorizerSettings(
        keys_table=reader.text("KEYSCOPE_KEYS_TABLE"),
        kms_key_arn=reader.text("KEYSCOPE_KMS_KEY_ARN"),
        access_map=reader.packaged_file("KEYSCOPE_ACCESS_MAP", PACKAGED_MAP),
        route_sets=reader.route_sets("KEYSCOPE_ROUTES", "KEYSCOPE_ACCESS_MAP"),
        max_stage_length=reader.whole_number(
            "KEYSCOPE_MAX_STAGE_LENGTH", DEFAULT_MAX_STAGE_LENGTH, range(1, MAX_STAGE_LENGTH + 1)
        ),
        region=reader.text("AWS_REGION", LONGEST_REGION),
        key_cache_seconds=reader.key_cache_seconds(),
        key_cache_entries=reader.key_cache_entries(),
        stale_seconds=reader.whole_number("KEYSCOPE_STALE_SECONDS", 900, range(3_601)),
        leeway_seconds=reader.whole_number("KEYSCOPE_LEEWAY_SECONDS", 0, range(61)),
        policy_conditions=reader.choice(
            "KEYSCOPE_POLICY_CONDITIONS", "true", {"true": True, "false": False}
        ),
        uses_botocore=reader.choice(
            "KEYSCOPE_AWS_CLIENT", "lean", {"lean": False, "botocore": True}
        ),
        log_level=reader.log_level(),
        log_allowed_sample=reader.whole_number("KEYSCOPE_LOG_ALLOWED_SAMPLE", 1, range(1, 10_001)),
        metrics_namespace=reader.metrics_namespace(),
    )
    reader.finish()
    return settings


def read_provisioning_settings(environment: Mapping[str, str]) -> ProvisioningSettings:
    """Read the settings of the provisioning function or the management function.

    Raises:
        Misconfigured: with every invalid variable and its allowed values.
    """
    reader = _Reader(environment)
    settings = ProvisioningSettings(
        keys_table=reader.text("KEYSCOPE_KEYS_TABLE"),
        directory_table=reader.text("KEYSCOPE_DIRECTORY_TABLE"),
        kms_key_arn=reader.text("KEYSCOPE_KMS_KEY_ARN"),
        use_table=reader.text("KEYSCOPE_USE_TABLE"),
        sees_all_use=reader.choice(
            "KEYSCOPE_SEES_ALL_USE", "false", {"true": True, "false": False}
        ),
        flush_queue_url=reader.text("KEYSCOPE_FLUSH_QUEUE_URL"),
        key_cache_seconds=reader.key_cache_seconds(),
        max_apps_per_creator=reader.whole_number(
            "KEYSCOPE_MAX_APPS_PER_CREATOR", DEFAULT_MAX_APPS_PER_CREATOR, range(1, 1_000_001)
        ),
        event_bus=reader.text("KEYSCOPE_EVENT_BUS", "default"),
        log_level=reader.log_level(),
        metrics_namespace=reader.metrics_namespace(),
    )
    reader.finish()
    return settings


def read_cache_flush_settings(environment: Mapping[str, str]) -> CacheFlushSettings:
    """Read the settings of the cache flush function.

    Raises:
        Misconfigured: with every invalid variable and its allowed values.
    """
    reader = _Reader(environment)
    settings = CacheFlushSettings(
        rest_api_id=reader.text("KEYSCOPE_REST_API_ID"),
        stage_name=reader.text("KEYSCOPE_STAGE_NAME"),
        http_api_id=environment.get("KEYSCOPE_HTTP_API_ID", ""),
        log_level=reader.log_level(),
        metrics_namespace=reader.metrics_namespace(),
    )
    reader.finish()
    return settings


def read_key_use_settings(environment: Mapping[str, str]) -> KeyUseSettings:
    """Read the settings of the key use function.

    Raises:
        Misconfigured: with every invalid variable and its allowed values.
    """
    reader = _Reader(environment)
    settings = KeyUseSettings(
        use_table=reader.text("KEYSCOPE_USE_TABLE"),
        log_level=reader.log_level(),
        metrics_namespace=reader.metrics_namespace(),
    )
    reader.finish()
    return settings


def read_expiry_sweep_settings(environment: Mapping[str, str]) -> ExpirySweepSettings:
    """Read the settings of the expiry sweep function.

    Raises:
        Misconfigured: with every invalid variable and its allowed values.
    """
    reader = _Reader(environment)
    settings = ExpirySweepSettings(
        keys_table=reader.text("KEYSCOPE_KEYS_TABLE"),
        warnings_table=reader.text("KEYSCOPE_EXPIRY_WARNINGS_TABLE"),
        event_bus=reader.text("KEYSCOPE_EVENT_BUS", "default"),
        log_level=reader.log_level(),
        metrics_namespace=reader.metrics_namespace(),
    )
    reader.finish()
    return settings


class _Reader:
    """Reads variables one by one and collects their faults."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        value = self._environment.get(name) or default
        if not value:
            self._faults.append(f"{name} is not set")
        return value

    def route_sets(self, name: str, map_name: str) -> tuple[str, ...]:
        """Read names of route sets, none by default if the access map is not the packaged one."""
        is_own = self._environment.get(map_name, PACKAGED_MAP) not in {"", PACKAGED_MAP}
        value = self._environment.get(name) or ("" if is_own else DEFAULT_ROUTE_SETS)
        return tuple(part.strip() for part in value.split(",")) if value else ()

    def whole_number(self, name: str, default: int, allowed: range) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit()) or int(value) not in allowed:
            self._faults.append(
                f"{name} is {value!r}; it must be a whole number from {allowed[0]} to {allowed[-1]}"
            )
            return default
        return int(value)

    def choice(self, name: str, default: str, choices: Mapping[str, _T]) -> _T:
        value = self.text(name, default)
        if value not in choices:
            self._faults.append(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
        return choices.get(value, choices[default])

    def log_level(self) -> str:
        levels = ("DEBUG", "INFO", "WARNING", "ERROR")
        return self.choice("KEYSCOPE_LOG_LEVEL", "INFO", {level: level for level in levels})

    def metrics_namespace(self) -> str:
        return self.text("KEYSCOPE_METRICS_NAMESPACE", "Keyscope")

    def key_cache_seconds(self) -> int:
        return self.whole_number("KEYSCOPE_KEY_CACHE_SECONDS", 30, range(301))

    def key_cache_entries(self) -> int:
        """Read the number of keys to cache, and check that the function's memory has room for them.

        Lambda sets `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in MB. Without it, nothing is checked.
        """
        entries = self.whole_number("KEYSCOPE_KEY_CACHE_ENTRIES", 10_000, range(1, 100_001))
        memory_mb = self.whole_number(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", _UNKNOWN_MEMORY_MB, range(1, _UNKNOWN_MEMORY_MB + 1)
        )
        needed_mb = CONTAINER_MB + ceil(entries * CACHE_ENTRY_BYTES / _MB)
        if needed_mb > memory_mb:
            self._faults.append(
                f"KEYSCOPE_KEY_CACHE_ENTRIES is {entries}, which can take {needed_mb} MB, and"
                f" AWS_LAMBDA_FUNCTION_MEMORY_SIZE is {memory_mb}. Lower KeyCacheEntries or"
                f" raise AuthorizerMemorySize"
            )
        return entries

    def packaged_file(self, name: str, default: str) -> str:
        """Read a file with a path relative to `keyscope/access`, or an absolute one."""
        path = self.text(name, default)
        try:
            return read_beside(path)
        except (OSError, UnicodeDecodeError) as error:
            self._faults.append(f"{name} is {path!r}, which cannot be read: {error}")
            return ""

    def finish(self) -> None:
        if self._faults:
            raise Misconfigured("; ".join(self._faults))
