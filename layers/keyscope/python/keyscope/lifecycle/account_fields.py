"""The members of accounts in JSON: reads what the operator chose, and shows what is stored."""

from typing import Final

from keyscope.lifecycle.account import Account, ListedAccount, Suspension
from keyscope.lifecycle.key_fields import Json, present
from keyscope.model.times import rfc3339, rfc3339_or_none

MOST_APPS: Final = 1_000_000
"""The largest limit of apps, as for the stack's parameter `MaxAppsPerCreator`."""


def read_max_apps(value: object) -> int:
    """Read a limit of apps.

    Raises:
        ValueError: with a text that completes a sentence after the member's name.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_APPS:
        return value
    message = f"must be a whole number from 0 to {MOST_APPS}, or null for the stack's own limit"
    raise ValueError(message)


def shown_listed(account: ListedAccount) -> Json:
    """Return an account as a list shows it; omit what does not apply."""
    return {
        "id": account.owner.owner_id,
        **present({"externalId": account.owner.external_id}),
        "displayName": account.owner.display_name,
        "state": account.state.value,
        "createdAt": rfc3339(account.owner.created_at),
        **present({"suspendedAt": _suspended_at(account.suspension)}),
    }


def shown_account(account: Account, max_apps: int) -> Json:
    """Return an account; `max_apps` is the stack's limit, which counts if it has none of its own.

    While its keys are being marked, `keysDone` counts those that are.
    """
    suspension = account.suspension
    is_marking = suspension is not None and suspension.marking is not None
    return {
        **shown_listed(ListedAccount(account.owner, suspension)),
        **present({"keysDone": suspension.marked_keys if suspension and is_marking else None}),
        "apps": account.app_count,
        "maxApps": max_apps if account.max_apps is None else account.max_apps,
        "hasOwnMaxApps": account.max_apps is not None,
        "serviceAccounts": account.service_account_count,
    }


def shown_changeable(account: Account) -> Json:
    """Return an account's members in audit events: its name and what the operator changes."""
    return {
        "displayName": account.owner.display_name,
        "state": account.state.value,
        **present({"suspendedAt": _suspended_at(account.suspension), "maxApps": account.max_apps}),
    }


def _suspended_at(suspension: Suspension | None) -> str | None:
    return rfc3339_or_none(None if suspension is None else suspension.suspended_at)
