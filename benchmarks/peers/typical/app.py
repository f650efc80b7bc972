"""A REST API's authorizer as tutorials write it: what Keyscope is measured against.

It accepts the same credentials from the same table and refuses the same wrong ones, with what such
code is usually made of: boto3's resource, Powertools' Logger, Metrics, Tracer and policy builder,
PyJWT. It is written to be quick where that costs no extra line. It creates clients and caches once
per container, caches a record for 30 s and a decrypted secret forever, and keeps its policy small.
It has none of the rest: no checks of the credential's form, no conditions, no limits, no stale
records.
"""

import base64
import hashlib
import hmac
import os
import time
from typing import Any

import boto3
import jwt
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import event_source
from aws_lambda_powertools.utilities.data_classes.api_gateway_authorizer_event import (
    APIGatewayAuthorizerRequestEvent,
    APIGatewayAuthorizerResponse,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

Record = dict[str, Any]

RECORD_SECONDS = 30
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SCOPES = {"app": ("app", "appUser"), "account": ("account",), "serviceAccount": ("account",)}

logger = Logger(service="typical")
tracer = Tracer(service="typical")
metrics = Metrics(service="typical", namespace="Typical")

table = boto3.resource("dynamodb").Table(os.environ["KEYSCOPE_KEYS_TABLE"])
kms = boto3.client("kms")

records: dict[str, tuple[Record, float]] = {}
secrets: dict[bytes, str] = {}


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
@event_source(data_class=APIGatewayAuthorizerRequestEvent)
def handler(event: APIGatewayAuthorizerRequestEvent, context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's
    """Return a policy for the caller's scope.

    Raises:
        Exception: with the text `Unauthorized`, for which API Gateway answers 401.
    """
    try:
        record, scope, user_id = authenticate(event.headers["authorization"])
    except Exception:
        logger.exception("refused")
        metrics.add_metric(name="Refused", unit=MetricUnit.Count, value=1)
        raise Exception("Unauthorized") from None  # noqa: EM101, TRY002 - as API Gateway wants it
    metrics.add_metric(name="Allowed", unit=MetricUnit.Count, value=1)
    logger.info("allowed", key_id=record["key_id"], scope=scope, owner_id=record["owner_id"])
    return policy(event, record, scope, user_id)


def authenticate(authorization: str) -> tuple[Record, str, str]:
    """Return the key's record, the proven scope and the token's user, if any."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        key_id, _, secret = base64.b64decode(value).decode().partition(":")
        record = read_record(key_id)
        presented = hashlib.sha256(secret.encode()).digest()
        if not hmac.compare_digest(presented, bytes(record["secret_hash"])):
            raise ValueError("wrong secret")  # noqa: EM101, TRY003 - as tutorials write it
        return record, SCOPES[record["owner_type"]][0], ""
    if scheme.lower() != "bearer":
        raise ValueError("unsupported scheme")  # noqa: EM101, TRY003 - as tutorials write it
    record = read_record(jwt.get_unverified_header(value)["kid"])
    claims = jwt.decode(value, open_secret(record), algorithms=["HS256"])
    if claims["scope"] not in SCOPES[record["owner_type"]]:
        raise ValueError("scope")  # noqa: EM101 - as tutorials write it
    return record, claims["scope"], claims["userId"] if claims["scope"] == "appUser" else ""


def read_record(key_id: str) -> Record:
    """Return the record of a usable key."""
    now = time.time()
    found, read_at = records.get(key_id, ({}, 0.0))
    if now - read_at >= RECORD_SECONDS:
        found = table.get_item(Key={"key_id": key_id}, ConsistentRead=True)["Item"]
        records[key_id] = (found, now)
    if any(ended in found for ended in ("revoked_at", "disabled_at")):
        raise ValueError("ended")  # noqa: EM101 - as tutorials write it
    if "expires_at" in found and now >= found["expires_at"]:
        raise ValueError("expired")  # noqa: EM101 - as tutorials write it
    return found


def open_secret(record: Record) -> str:
    """Return the key's secret, for a token's signature."""
    sealed = bytes(record["secret_ciphertext"])
    if sealed not in secrets:
        opened = kms.decrypt(
            KeyId=os.environ["KEYSCOPE_KMS_KEY_ARN"],
            CiphertextBlob=sealed,
            EncryptionContext={"keyId": record["key_id"]},
        )
        secrets[sealed] = opened["Plaintext"].decode()
    return secrets[sealed]


def policy(
    event: APIGatewayAuthorizerRequestEvent, record: Record, scope: str, user_id: str
) -> dict[str, Any]:
    """Return what the scope may reach, method by method."""
    arn = event.parsed_arn
    response = APIGatewayAuthorizerResponse(
        principal_id=record["owner_id"],
        region=arn.region,
        aws_account_id=arn.aws_account_id,
        api_id=arn.api_id,
        stage=arn.stage,
        context={"keyId": record["key_id"], "scope": scope, "accountId": record["account_id"]},
    )
    owner = record["owner_id"]
    paths = {
        "appUser": (f"/v2/apps/{owner}/users/{user_id}", f"/v2/apps/{owner}/users/{user_id}/*"),
        "app": (f"/v2/apps/{owner}", f"/v2/apps/{owner}/*"),
        "account": ("/v2/apps", f"/v2/apps/{owner}*"),
    }
    for path in paths[scope]:
        for method in METHODS:
            response.allow_route(method, path)
    return response.asdict()
