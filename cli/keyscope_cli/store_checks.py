"""`doctor` on storage: the tables, and the key that encrypts secrets."""

from collections.abc import Collection, Iterator

from keyscope.aws.dynamodb.keys import OWNER_INDEX
from keyscope.aws.dynamodb.limited_keys import limited_keys
from keyscope_cli.aws import Aws
from keyscope_cli.findings import CheckVerdict, Finding, judged
from keyscope_cli.output import counted

TTL_ATTRIBUTE = "expires_at"
MAX_NAMED_KEYS = 10


def table_findings(
    aws: Aws, check: str, name: str, *, has_keys: bool, deployed: bool
) -> Iterator[Finding]:
    """Check a table; an emulator supports neither recovery nor deletion protection."""
    client = aws.client("dynamodb")
    table = client.describe_table(TableName=name)["Table"]
    status = table["TableStatus"]
    yield judged(
        check,
        f"{name} is {status}",
        ok=status == "ACTIVE",
        otherwise=CheckVerdict.PROBLEM,
        advice="Wait until the table is ACTIVE. Until then, the authorizers fail with 500.",
    )
    if has_keys:
        yield _index_finding(table.get("GlobalSecondaryIndexes", []))
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    yield judged(
        f"{check}: time to live",
        f"{ttl['TimeToLiveStatus']} on {ttl.get('AttributeName', 'no attribute')}",
        ok=ttl["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}
        and ttl.get("AttributeName") == TTL_ATTRIBUTE,
        otherwise=CheckVerdict.WARNING,
        advice=f"Enable time to live on {TTL_ATTRIBUTE}. Without it, DynamoDB never deletes expired"
        " records.",
    )
    if not deployed:
        return
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    yield judged(
        f"{check}: point-in-time recovery",
        recovery,
        ok=recovery == "ENABLED",
        otherwise=CheckVerdict.PROBLEM,
        advice="Enable point-in-time recovery. Without it, you cannot restore a deleted record.",
    )
    is_protected = table.get("DeletionProtectionEnabled", False)
    yield judged(
        f"{check}: deletion protection",
        "on" if is_protected else "off",
        ok=is_protected,
        otherwise=CheckVerdict.WARNING,
        advice="Deploy with DeletionProtection=true, unless you plan to delete this stack soon.",
    )


def _index_finding(indexes: list[dict[str, object]]) -> Finding:
    by_name = {index["IndexName"]: index for index in indexes}
    index = by_name.get(OWNER_INDEX, {})
    projection = index.get("Projection", {})
    attributes = projection.get("NonKeyAttributes", []) if isinstance(projection, dict) else []
    shows_all = isinstance(projection, dict) and projection.get("ProjectionType") == "ALL"
    status = index.get("IndexStatus", "missing")
    if shows_all or any("secret" in name for name in attributes):
        advice = (
            "Deploy the template again. This index shows secrets to everyone who may list keys."
        )
        return Finding(
            f"index {OWNER_INDEX}", CheckVerdict.PROBLEM, "The index contains secrets", advice
        )
    return judged(
        f"index {OWNER_INDEX}",
        str(status),
        ok=status == "ACTIVE",
        otherwise=CheckVerdict.PROBLEM,
        advice="Deploy the template again. Without the index, Keyscope cannot list keys.",
    )


def permission_finding(aws: Aws, keys_table: str, known: Collection[str]) -> Finding:
    """Check whether the access map knows the permissions of each key that is not revoked."""
    limited, unknown = 0, []
    for key in limited_keys(aws.client("dynamodb"), keys_table):
        limited += 1
        if names := [name for name in key.permissions if name not in known]:
            unknown.append(f"{key.key_id} ({', '.join(names)})")
    if not unknown:
        keys = counted(limited, "limited key", "limited keys")
        found = f"The access map defines every permission of {keys}"
        return Finding("key permissions", CheckVerdict.OK, found)
    others = len(unknown) - MAX_NAMED_KEYS
    shown = ", ".join(unknown[:MAX_NAMED_KEYS]) + (f" and {others:,} others" if others > 0 else "")
    return Finding(
        "key permissions",
        CheckVerdict.WARNING,
        f"The access map does not define: {shown}",
        "Add these permissions to the access map, or change the keys with `keyscope key update`."
        " Until then, they allow the keys nothing.",
    )


def sealing_key_findings(aws: Aws, arn: str, *, deployed: bool) -> Iterator[Finding]:
    """Check the KMS key."""
    client = aws.client("kms")
    state = client.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
    yield judged(
        "KMS key",
        state,
        ok=state == "Enabled",
        otherwise=CheckVerdict.PROBLEM,
        advice="Enable the key, or cancel its deletion. Without it, requests with JWTs fail with"
        " 500. Deleting it makes every encrypted secret and both tables unreadable.",
    )
    if deployed:
        rotates = client.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"]
        yield judged(
            "KMS key: rotation",
            "on" if rotates else "off",
            ok=rotates,
            otherwise=CheckVerdict.WARNING,
            advice="Enable yearly key rotation, as the template does.",
        )
