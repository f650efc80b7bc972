"""`doctor` on storage: the tables, and the key that encrypts secrets."""

from collections.abc import Collection, Iterator

from keyscope.aws.dynamodb.keys import OWNER_INDEX
from keyscope.aws.dynamodb.limited_keys import limited_keys
from keyscope_cli.aws import Aws
from keyscope_cli.findings import CheckVerdict, Finding, judged

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
        advice="Wait until it is ACTIVE; authorizers answer 500 meanwhile.",
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
        advice=f"Enable it on {TTL_ATTRIBUTE}; else what has ended is never cleared away.",
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
        advice="Enable it; without it a deleted record is gone.",
    )
    is_protected = table.get("DeletionProtectionEnabled", False)
    yield judged(
        f"{check}: deletion protection",
        "on" if is_protected else "off",
        ok=is_protected,
        otherwise=CheckVerdict.WARNING,
        advice="Deploy with DeletionProtection=true, unless this is a stack to throw away.",
    )


def _index_finding(indexes: list[dict[str, object]]) -> Finding:
    by_name = {index["IndexName"]: index for index in indexes}
    index = by_name.get(OWNER_INDEX, {})
    projection = index.get("Projection", {})
    attributes = projection.get("NonKeyAttributes", []) if isinstance(projection, dict) else []
    shows_all = isinstance(projection, dict) and projection.get("ProjectionType") == "ALL"
    status = index.get("IndexStatus", "not there")
    if shows_all or any("secret" in name for name in attributes):
        advice = "Deploy the template's index again: this one shows secret material to who lists."
        return Finding(f"index {OWNER_INDEX}", CheckVerdict.PROBLEM, "It projects secrets", advice)
    return judged(
        f"index {OWNER_INDEX}",
        str(status),
        ok=status == "ACTIVE",
        otherwise=CheckVerdict.PROBLEM,
        advice="Deploy the template again; without it no keys are listed.",
    )


def permission_finding(aws: Aws, keys_table: str, known: Collection[str]) -> Finding:
    """Check whether the access map knows the permissions of each key that is not revoked."""
    limited, unknown = 0, []
    for key in limited_keys(aws.client("dynamodb"), keys_table):
        limited += 1
        if names := [name for name in key.permissions if name not in known]:
            unknown.append(f"{key.key_id} ({', '.join(names)})")
    if not unknown:
        found = f"The access map knows those of all {limited:,} limited keys"
        return Finding("permissions of keys", CheckVerdict.OK, found)
    others = len(unknown) - MAX_NAMED_KEYS
    shown = ", ".join(unknown[:MAX_NAMED_KEYS]) + (f" and {others:,} others" if others > 0 else "")
    return Finding(
        "permissions of keys",
        CheckVerdict.WARNING,
        f"The access map does not know: {shown}",
        "Name these permissions in the access map, or give the keys others with `keyscope key"
        " update`. Until then they give the keys nothing.",
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
        advice="Enable it, or cancel its deletion: without it JWTs are answered with 500, and when"
        " it is deleted every sealed secret and both tables are lost.",
    )
    if deployed:
        rotates = client.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"]
        yield judged(
            "KMS key: rotation",
            "on" if rotates else "off",
            ok=rotates,
            otherwise=CheckVerdict.WARNING,
            advice="Enable yearly rotation, as the template does.",
        )
