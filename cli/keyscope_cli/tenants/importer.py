"""The work of an import: each account and app is created once, however often the import starts.

A creation whose answer was lost may have happened. Its repetition then finds the external id taken,
and the token of the import shows that the key is the import's own: the key gets another secret.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Lock
from typing import Any, Final

from keyscope.model.ids import IdName, OwnerType
from keyscope_cli.failures import Failure
from keyscope_cli.tenants.secret_file import SecretFile
from keyscope_cli.tenants.tenant_file import Creation, Tenant

Provision = Callable[[Mapping[str, object]], Mapping[str, Any]]
"""Carries out a provisioning request; returns its answer, or raises `Failure` if there is none."""

PAUSES_SECONDS: Final = (0.2, 1.0, 5.0)
"""How long to wait before each repetition of a request that got no answer."""
_NAMES: Final = {OwnerType.ACCOUNT: IdName.ACCOUNT_EXTERNAL, OwnerType.APP: IdName.APP_EXTERNAL}


class _Stopped(Exception):  # noqa: N818 - a state
    """Another worker ended the import."""


class Result(StrEnum):
    """What became of an account or an app."""

    CREATED = "created"
    REPLACED = "replaced"
    EXISTED = "existed"
    DONE_BEFORE = "done before"
    REJECTED = "rejected"


@dataclass
class Import:
    """A running import. `counts` are the results so far, `rejections` say what was wrong."""

    secret_file: SecretFile
    provision: Provision
    sleep: Callable[[float], None] = time.sleep
    counts: Counter[Result] = field(default_factory=Counter)
    rejections: list[str] = field(default_factory=list)
    _stopped: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def run(self, tenants: Sequence[Tenant], workers: int, advance: Callable[[int], None]) -> None:
        """Import the tenants; `advance` is called with the number of creations that are done.

        Each worker finishes the request that it has sent before an error or Ctrl-C ends the import.

        Raises:
            Failure: a request got no answer.
        """
        with ThreadPoolExecutor(workers, thread_name_prefix="import") as pool:
            try:
                running = [pool.submit(self._import, tenant) for tenant in tenants]
                for each in as_completed(running):
                    # What stopped the others is among the results, too.
                    if not isinstance(each.exception(), _Stopped):
                        advance(each.result())
            finally:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)

    def _import(self, tenant: Tenant) -> int:
        """Import a tenant and return the number of its creations; an error stops all workers."""
        try:
            self._create_all(tenant)
        except BaseException:
            self._stopped.set()
            raise
        return len(tenant.creations)

    def _create_all(self, tenant: Tenant) -> None:
        account_id = self._create(tenant, tenant.account, {})
        for app in tenant.apps:
            if account_id is None:
                self._reject(tenant, app, "its account was rejected")
            else:
                self._create(tenant, app, {"accountId": account_id})

    def _create(
        self, tenant: Tenant, creation: Creation, account: Mapping[str, object]
    ) -> str | None:
        """Create an account or an app, unless it was created before; return its id.

        Returns `None` if the function rejects it.
        """
        before = self.secret_file.created.get(creation.place)
        if before is not None:
            self._count(Result.DONE_BEFORE)
            return before
        token = {"clientToken": self.secret_file.token}
        answer = self._ask({**creation.members, **account, **token})
        if "errors" not in answer:
            return self._keep(Result.CREATED, creation, answer)
        if [fault["code"] for fault in answer["errors"]] != ["external_id_taken"]:
            self._reject(tenant, creation, _told(answer))
            return None
        return self._found(tenant, creation, token)

    def _found(self, tenant: Tenant, creation: Creation, token: Mapping[str, object]) -> str | None:
        """Return the id of what has the external id already; replace its key if it is lost."""
        name = {_NAMES[creation.owner_type].value: creation.external_id}
        answer = self._ask({"operation": "getByExternalId", **name, **token})
        while "lostKey" in answer:
            seen = {"secretGeneration": answer["lostKey"]["secretGeneration"]}
            replaced = self._ask({"operation": "replaceLostKey", **name, **token, **seen})
            if "errors" not in replaced:
                return self._keep(Result.REPLACED, creation, replaced)
            if [fault["code"] for fault in replaced["errors"]] != ["changed_meanwhile"]:
                self._reject(tenant, creation, f"its key's secret is lost: {_told(replaced)}")
                return str(answer[creation.owner_type.value]["id"])
            # A request of an interrupted import arrived late: look again.
            answer = self._ask({"operation": "getByExternalId", **name, **token})
        if "errors" in answer:
            what = creation.owner_type.value
            reason = (
                f"a deleted {what} used this external ID, and it stays reserved; use another one"
            )
            self._reject(tenant, creation, reason)
            return None
        self._count(Result.EXISTED)
        return str(answer[creation.owner_type.value]["id"])

    def _keep(self, result: Result, creation: Creation, answer: Mapping[str, Any]) -> str:
        owner_id = str(answer[creation.owner_type.value]["id"])
        self.secret_file.add(creation, owner_id, answer.get("key"))
        self._count(result)
        return owner_id

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, Any]:
        """Send a request, and again if there is no answer: nothing is created twice."""
        pauses = iter(PAUSES_SECONDS)
        while True:
            if self._stopped.is_set():
                raise _Stopped
            try:
                return self.provision(request)
            except Failure:
                pause = next(pauses, None)
                if pause is None:
                    raise
                self.sleep(pause)

    def _reject(self, tenant: Tenant, creation: Creation, reason: str) -> None:
        self._count(Result.REJECTED, f"line {tenant.line}: {creation.external_id}: {reason}")

    def _count(self, result: Result, rejection: str = "") -> None:
        with self._lock:
            self.counts[result] += 1
            if rejection:
                self.rejections.append(rejection)


def _told(answer: Mapping[str, Any]) -> str:
    return "; ".join(f"{each['field']} {each['title']}" for each in answer["errors"])
