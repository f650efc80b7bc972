"""Remedies for what keeps an authorizer from deciding: API Gateway returns 500."""

from collections.abc import Callable
from typing import Final

from keyscope.errors import Reason
from keyscope.explain.known import Known
from keyscope.explain.remedies.remedy import Remedies, RemediesByReason, Remedy, otherwise
from keyscope.explain.request import EventKind
from keyscope.model.key_record import RecordSource

_CONSOLES_TEST_STAGE: Final = "ESTestInvoke-stage"
"""The stage that the API Gateway console's button "Test authorizer" makes up."""


def _detail_has(*parts: str) -> Callable[[Known], bool]:
    return lambda known: any(part in known.decision.detail for part in parts)


_DENIED: Final = _detail_has("AccessDenied")
_NOT_FOUND: Final = _detail_has("NotFound")
_THROTTLED: Final = _detail_has("Throttl", "ProvisionedThroughput", "LimitExceeded")

KEY_STORE_UNAVAILABLE: Final[Remedies] = (
    Remedy(
        lambda known: known.decision.record_source is RecordSource.STALE,
        "DynamoDB is unavailable, and the cached record that `StaleSeconds` allows would refuse the"
        " request. An old record never refuses, so the answer is 500. Try again when DynamoDB is"
        " available.",
    ),
    Remedy(
        _DENIED,
        "The function is not allowed to read the keys table. Check its role's `dynamodb:GetItem`"
        " and the policy in the parameter `PermissionsBoundary`.",
    ),
    Remedy(
        _NOT_FOUND,
        "The keys table does not exist in this region. Check the parameter `ExistingKeysTable`,"
        " and restore the table if it was deleted.",
    ),
    Remedy(
        _THROTTLED,
        "DynamoDB throttles the reads. Check the table's capacity and your account's quotas, and"
        " raise `KeyCacheSeconds` or `KeyCacheEntries` to read less often.",
    ),
    otherwise(
        "DynamoDB did not answer in time. Check its status in this region and the function's"
        " network. A larger `StaleSeconds` bridges longer outages."
    ),
)

KMS_UNAVAILABLE: Final[Remedies] = (
    Remedy(
        _DENIED,
        "The function is not allowed to decrypt with the KMS key. Check the key's policy, the"
        " role's `kms:Decrypt` and the policy in the parameter `PermissionsBoundary`.",
    ),
    Remedy(
        _NOT_FOUND,
        "The KMS key does not exist in this region. Check the parameter `ExistingKeyId`; for a key"
        " with replicas (`MultiRegion`), create the replica first.",
    ),
    Remedy(
        _detail_has("Disabled", "InvalidState"),
        "The KMS key is disabled or about to be deleted. Enable it, or cancel its deletion.",
    ),
    Remedy(
        _THROTTLED,
        "KMS throttles the decryptions. Check your account's KMS quota, and raise"
        " `KeyCacheEntries` so that containers cache more secrets.",
    ),
    otherwise(
        "KMS did not answer in time. Check its status in this region and the function's network."
        " Basic and Bearer secrets do not need KMS."
    ),
)

DAMAGED_RECORD: Final[Remedies] = (
    Remedy(
        _detail_has("InvalidCiphertext", "IncorrectKey"),
        "Another KMS key encrypted the secret. Check the parameter `ExistingKeyId`: it must be the"
        " key that the table's records were written with.",
    ),
    Remedy(
        _detail_has("format"),
        "A newer Keyscope wrote the record. Deploy that version, or a later one, to this stack.",
    ),
    otherwise(
        "Something other than Keyscope changed the record. Find out what wrote it; then revoke the"
        " key and create another."
    ),
)


def _version(known: Known) -> object:
    return known.event.get("version")


MALFORMED_EVENT: Final[Remedies] = (
    Remedy(
        lambda known: known.asked.event_kind is EventKind.HTTP and _version(known) == "1.0",
        "The HTTP API sends payload format 1.0. Set `AuthorizerPayloadFormatVersion` of the"
        ' authorizer to "2.0".',
    ),
    Remedy(
        lambda known: (
            known.asked.event_kind is EventKind.HTTP and known.event.get("type") == "REQUEST"
        ),
        "The event lacks what an HTTP API sends in payload format 2.0. Check how the authorizer is"
        " attached, and that nothing changed the event.",
    ),
    Remedy(
        lambda known: not known.asked.arn,
        "The event has no method ARN, so API Gateway did not send it to an authorizer. Check that"
        " the function is attached as an authorizer, not as a backend.",
    ),
    Remedy(
        lambda known: known.event.get("type") not in {"TOKEN", "REQUEST"},
        "The event's `type` is neither `TOKEN` nor `REQUEST`. Check how the authorizer is"
        " attached.",
    ),
    otherwise(
        "The event lacks a part that API Gateway always sends. Check that nothing changed the"
        " event, and that it is complete."
    ),
)

STAGE_NAME_TOO_LONG: Final[Remedies] = (
    Remedy(
        lambda known: known.asked.stage == _CONSOLES_TEST_STAGE,
        'The console\'s button "Test authorizer" uses a stage with a long name. Raise the parameter'
        f" `MaxStageLength` to {len(_CONSOLES_TEST_STAGE)}, or send a request to the API instead.",
    ),
    otherwise(
        "The stage's name is so long that a policy may exceed its budget. Raise the parameter"
        " `MaxStageLength`, or shorten `StageName`."
    ),
)

FAILURES: Final[RemediesByReason] = {
    Reason.KEY_STORE_UNAVAILABLE: KEY_STORE_UNAVAILABLE,
    Reason.KMS_UNAVAILABLE: KMS_UNAVAILABLE,
    Reason.DAMAGED_RECORD: DAMAGED_RECORD,
    Reason.MALFORMED_EVENT: MALFORMED_EVENT,
    Reason.STAGE_NAME_TOO_LONG: STAGE_NAME_TOO_LONG,
    Reason.INTERNAL_ERROR: (
        otherwise("This is a fault in Keyscope. Report it with the error's type and place."),
    ),
}
