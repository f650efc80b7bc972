"""Traffic over a month's rate, simulated: what reaches the authorizer, the table and KMS.

The caches are the real ones: API Gateway's as the local gateway has it, each container's `KeyCache`
and its opened secrets, asked by the real pipeline. Only the clock, the table and KMS are stand-ins.

Assumptions, because AWS documents none of it: a container ends when it was idle for
`IDLE_SECONDS` or is `LIFE_SECONDS` old, any container may get any request, and API Gateway's cache
evicts nothing. All but the last make the caches look worse than they are.
"""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Any, Final

import jwt

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import Policies, prepare_policies
from keyscope.authorize.decision import Decision, Outcome
from keyscope.authorize.event import read_rest_event
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.entry.settings import AuthorizerSettings
from keyscope.model.ids import OwnerType
from keyscope.model.key_record import KeyRecord, Lookup, RecordSource
from keyscope.model.key_use import FirstUses
from keyscope.model.secret import hash_secret, new_secret
from keyscope_local.gateway.result_cache import ResultCache
from keyscope_local.tour.event_values import basic
from keyscope_local.tour.seed import IssuedKey

ZIPF_EXPONENT: Final = 1.0
"""The second key gets half of the first one's requests, the third a third."""
USERS_PER_KEY: Final = 20
"""Each with a token of its own, all equally busy."""
BASIC_SHARE: Final = 0.3
"""Of a key's requests; the rest are its users' tokens."""
REFUSED_SHARE: Final = 0.005
"""Of all requests: a wrong secret for one of the keys, which API Gateway never caches."""
IDLE_SECONDS: Final = 600
LIFE_SECONDS: Final = 7_200
METHOD_ARN: Final = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/v2/apps"


OnUse = Callable[[str, float], object]
"""Is called with the id of a key and the time, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """A load; `per_second` requests arrive at random, for `keys` keys, at `containers` at most."""

    per_second: float
    keys: int
    containers: int


@dataclass(slots=True)
class Counts:
    """What a stretch of traffic took."""

    requests: int = 0
    invocations: int = 0
    starts: int = 0
    table_reads: int = 0
    kms_calls: int = 0
    use_lines: int = 0
    decisions: Counter[tuple[object, ...]] = field(default_factory=Counter)
    examples: dict[tuple[object, ...], Decision] = field(default_factory=dict)


@dataclass(slots=True)
class _Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class _Aws:
    """The table and KMS, with keys by their number; counts what it is asked."""

    counts: Counts

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        del fresh
        self.counts.table_reads += 1
        return Lookup(_key(int(key_id[4:], 16))[1], RecordSource.TABLE)

    def decrypt(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - as in AWS's API
        self.counts.kms_calls += 1
        return {"Plaintext": request["CiphertextBlob"].removeprefix(b"sealed ")}

    def encrypt(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - as in AWS's API
        raise NotImplementedError(request)


@dataclass(slots=True)
class _Container:
    authorizer: Authorizer
    first_uses: FirstUses
    ends_at: float
    used_at: float


class Simulation:
    """API Gateway and the authorizer's containers, with empty caches at first."""

    def __init__(
        self,
        traffic: Traffic,
        settings: AuthorizerSettings,
        api_cache_seconds: int,
        seed: int = 1,
    ) -> None:
        """Make the population of keys and the containers' places."""
        self._traffic = traffic
        self._settings = settings
        self._api_cache_seconds = api_cache_seconds
        self._random = random.Random(seed)  # noqa: S311 - a repeatable draw, no secret
        self._clock = _Clock()
        self._counts = Counts()
        self._on_use: OnUse = lambda _, __: None
        self._aws = _Aws(self._counts)
        self._policies = _policies(settings)
        self._api_cache: ResultCache[bool] = ResultCache(self._clock, max_entries=10_000_000)
        self._containers: list[_Container | None] = [None] * traffic.containers
        weights = (1 / rank**ZIPF_EXPONENT for rank in range(1, traffic.keys + 1))
        self._cumulative = list(accumulate(weights))

    def now(self) -> float:
        """Return the simulated time, in seconds since the epoch."""
        return self._clock.now

    def run(self, seconds: float, on_use: OnUse = lambda _, __: None) -> Counts:
        """Let traffic come for a time; the caches stay as they are between runs.

        `on_use` is called for each line about the use of a key, with its id and the time.
        """
        self._counts, self._on_use = Counts(), on_use
        self._aws.counts = self._counts
        ends_at = self._clock.now + seconds
        draw = self._random
        while (now := self._clock.now + draw.expovariate(self._traffic.per_second)) < ends_at:
            self._clock.now = now
            self._counts.requests += 1
            number = bisect_left(self._cumulative, draw.random() * self._cumulative[-1])
            if draw.random() < REFUSED_SHARE:
                self._ask(_wrong(number))
                continue
            user = -1 if draw.random() < BASIC_SHARE else draw.randrange(USERS_PER_KEY)
            if self._api_cache.get((number, user)) is None:
                allowed = self._ask(_authorization(number, user))
                if allowed:
                    self._api_cache.put((number, user), allowed, self._api_cache_seconds)
        return self._counts

    def _ask(self, authorization: str) -> bool:
        event = {"type": "TOKEN", "methodArn": METHOD_ARN, "authorizationToken": authorization}
        container = self._container()
        decision = authorize(event, read_rest_event, container.authorizer)
        self._counts.invocations += 1
        kind = (
            *(decision.outcome, decision.reason, decision.credential_kind),
            *(decision.record_source, decision.secret_from_cache),
        )
        self._counts.decisions[kind] += 1
        self._counts.examples.setdefault(kind, decision)
        if decision.outcome is not Outcome.ALLOWED or decision.key_id is None:
            return False
        if container.first_uses.note(decision.key_id, self._clock.now):
            self._counts.use_lines += 1
            self._on_use(decision.key_id, self._clock.now)
        return True

    def _container(self) -> _Container:
        place = self._random.randrange(len(self._containers))
        container = self._containers[place]
        now = self._clock.now
        if container is None or now >= container.ends_at or now - container.used_at > IDLE_SECONDS:
            # The first ones are of any age, so that they do not all end at once.
            life = LIFE_SECONDS * (self._random.random() if container is None else 1)
            container = self._containers[place] = self._new_container(now + life)
            self._counts.starts += 1
        container.used_at = now
        return container

    def _new_container(self, ends_at: float) -> _Container:
        settings = self._settings
        return _Container(
            Authorizer(
                keys=KeyCache(
                    self._aws,
                    self._clock,
                    fresh_seconds=settings.key_cache_seconds,
                    stale_seconds=settings.stale_seconds,
                    max_entries=settings.key_cache_entries,
                ),
                secrets=SecretOpeningBox(
                    lambda: self._aws, settings.kms_key_arn, settings.key_cache_entries
                ),
                policies=self._policies,
                clock=self._clock,
                timer=self._clock,
            ),
            first_uses=FirstUses(settings.key_cache_entries),
            ends_at=ends_at,
            used_at=self._clock.now,
        )


def _policies(settings: AuthorizerSettings) -> Policies:
    access_map = read_access_map(settings.access_map, settings.route_sets)
    return prepare_policies(
        access_map, settings.max_stage_length, conditions=settings.policy_conditions
    )


@cache
def _key(number: int) -> tuple[IssuedKey, KeyRecord]:
    key_id = f"app_{number:024x}"
    secret = new_secret(key_id)
    record = KeyRecord(
        key_id=key_id,
        owner_type=OwnerType.APP,
        owner_id=f"{number:024x}",
        secret_hash=hash_secret(secret),
        secret_ciphertext=b"sealed " + secret.encode(),
    )
    return IssuedKey(key_id, secret), record


@cache
def _authorization(number: int, user: int) -> str:
    """Return the credential of a key's user; of the key itself for user -1."""
    key, _ = _key(number)
    if user < 0:
        return basic(key)
    claims = {"scope": "appUser", "userId": f"user-{user}"}
    token = jwt.encode(claims, key.secret, algorithm="HS256", headers={"kid": key.key_id})
    return f"Bearer {token}"


@cache
def _wrong(number: int) -> str:
    key, _ = _key(number)
    return basic(key, new_secret(key.key_id))
