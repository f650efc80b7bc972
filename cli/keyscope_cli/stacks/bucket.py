"""The S3 bucket that CloudFormation and Lambda read a release from.

The name of a bucket that Keyscope creates can be guessed, so another AWS account may have taken it.
Each request names the account that the bucket must belong to; S3 rejects it otherwise.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from keyscope.aws.calls import error_code
from keyscope.aws.lean.endpoint import dns_suffix
from keyscope_cli.aws import Aws, told_failures
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.stacks.artifacts import Artifact

_NOT_THERE: Final = {"404", "NoSuchBucket", "NoSuchKey", "NotFound"}
_NOT_OURS: Final = {"403", "AccessDenied", "BucketAlreadyExists"}
_FIRST_REGION: Final = "us-east-1"
"""The only region that must not be named when a bucket is created there."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of this account and region; `exists` is false until it is created."""

    name: str
    region: str
    account: str
    exists: bool
    client: Any = field(repr=False)

    def upload(self, artifacts: Iterable[Artifact], tell: Callable[[str], None]) -> int:
        """Upload what the bucket lacks; return how many files that was.

        Raises:
            Failure: AWS does not allow it or does not answer.
        """
        missing = [artifact for artifact in artifacts if not self._has(artifact)]
        for artifact in missing:
            tell(f"Uploading {artifact.name}")
            with told_failures():
                self.client.put_object(
                    Bucket=self.name,
                    Key=artifact.key,
                    Body=artifact.content,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=artifact.checksum,
                    ExpectedBucketOwner=self.account,
                )
        return len(missing)

    def url(self, artifact: Artifact) -> str:
        """Return the URL that CloudFormation reads an artifact from."""
        return f"https://{self.name}.s3.{self.region}.{dns_suffix(self.region)}/{artifact.key}"

    def _has(self, artifact: Artifact) -> bool:
        """Return whether the bucket has this content; the object's key alone does not show that."""
        with told_failures():
            try:
                found = self.client.head_object(
                    Bucket=self.name,
                    Key=artifact.key,
                    ChecksumMode="ENABLED",
                    ExpectedBucketOwner=self.account,
                )
            except ClientError as error:
                if error_code(error) not in _NOT_THERE:
                    raise
                return False
        return bool(found.get("ChecksumSHA256") == artifact.checksum)


def find_bucket(aws: Aws, name: str | None) -> Bucket:
    """Return the named bucket, or Keyscope's own for this account and region, which may not exist.

    Raises:
        Failure: a named bucket does not exist or is in another region, or the bucket belongs to
            another account.
    """
    client = aws.client("s3")
    region: str = client.meta.region_name
    if dns_suffix(region) is None:
        message = f"{region!r} is not an AWS region that Keyscope knows."
        raise Failure(ExitStatus.USAGE, message, "Check --region and AWS_REGION.")
    with told_failures():
        account: str = aws.client("sts").get_caller_identity()["Account"]
    own = f"keyscope-artifacts-{account}-{region}"
    bucket = Bucket(name or own, region, account, exists=True, client=client)
    place = _region_of(bucket)
    if place is None and name is not None:
        message = f"There is no bucket {name!r}."
        advice = "Create it, or leave out --bucket to let Keyscope create one."
        raise Failure(ExitStatus.NOT_DONE, message, advice)
    if place is None:
        return replace(bucket, exists=False)
    if place != region:
        message = f"The bucket {bucket.name!r} is in {place}, not in {region}."
        advice = f"Lambda reads code only from its own region. Use a bucket in {region}."
        raise Failure(ExitStatus.NOT_DONE, message, advice)
    return bucket


def prepare_own(bucket: Bucket) -> None:
    """Create Keyscope's own bucket if needed: encrypted, versioned and closed to the public.

    Raises:
        Failure: another account took the name meanwhile, or AWS does not allow it.
    """
    if not bucket.exists:
        _create(bucket)
    _protect(bucket)


def _region_of(bucket: Bucket) -> str | None:
    with told_failures():
        try:
            found = bucket.client.head_bucket(
                Bucket=bucket.name, ExpectedBucketOwner=bucket.account
            )
        except ClientError as error:
            if error_code(error) in _NOT_OURS:
                raise _not_ours(bucket) from None
            if error_code(error) in _NOT_THERE:
                return None
            raise
    headers = found["ResponseMetadata"]["HTTPHeaders"]
    return str(headers.get("x-amz-bucket-region", bucket.region))


def _create(bucket: Bucket) -> None:
    place = (
        {}
        if bucket.region == _FIRST_REGION
        else {"CreateBucketConfiguration": {"LocationConstraint": bucket.region}}
    )
    with told_failures():
        try:
            bucket.client.create_bucket(Bucket=bucket.name, **place)
        except ClientError as error:
            if error_code(error) in _NOT_OURS:
                raise _not_ours(bucket) from None
            raise
        bucket.client.put_bucket_encryption(
            Bucket=bucket.name,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            ExpectedBucketOwner=bucket.account,
        )


def _protect(bucket: Bucket) -> None:
    """Set what an interrupted creation may have left out; repeating it changes nothing."""
    with told_failures():
        bucket.client.put_public_access_block(
            Bucket=bucket.name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
            ExpectedBucketOwner=bucket.account,
        )
        bucket.client.put_bucket_versioning(
            Bucket=bucket.name,
            VersioningConfiguration={"Status": "Enabled"},
            ExpectedBucketOwner=bucket.account,
        )


def _not_ours(bucket: Bucket) -> Failure:
    message = f"You have no access to the bucket {bucket.name!r}, or another account owns it."
    advice = "Check your permissions for it, or use --bucket with a bucket of your own."
    return Failure(ExitStatus.NOT_DONE, message, advice)
