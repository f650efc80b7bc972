"""Which Keyscope a command uses: a deployed stack, the local one, or a URL."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from keyscope.authorize.pipeline import Authorizer
from keyscope.aws.calls import error_code
from keyscope.entry.explained_authorizer import explaining_authorizer
from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings
from keyscope.errors import Misconfigured
from keyscope_cli.aws import Aws, told_failures
from keyscope_cli.deployed_settings import settings_of, variables_of
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.local_session import LocalSession, read_session
from keyscope_local.tour.state_folder import SESSION_FILE_NAME, state_folder


@dataclass(frozen=True, slots=True)
class Target:
    """A Keyscope: how to reach AWS for it, and the name of the stack."""

    aws: Aws
    stack_name: str | None = None
    session: LocalSession | None = None
    url: str | None = None

    def outputs(self) -> Mapping[str, str]:
        """Return the stack's outputs.

        Raises:
            Failure: no stack is named, or AWS does not return them.
        """
        if self.session is not None:
            outputs: Mapping[str, str] = self.session.stack["outputs"]
            return outputs
        stack = self.described_stack()
        return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}

    def check_named(self) -> None:
        """Check that the command names a Keyscope.

        Raises:
            Failure: it names no stack, no local run and no URL.
        """
        if self.stack_name is None and self.session is None and self.url is None:
            raise _not_named()

    def described_stack(self) -> Mapping[str, Any]:
        """Return CloudFormation's description of the stack.

        Raises:
            Failure: no stack is named, or AWS does not return it.
        """
        if self.stack_name is None:
            raise _not_named()
        client = self.aws.client("cloudformation")
        with told_failures():
            try:
                stacks = client.describe_stacks(StackName=self.stack_name)["Stacks"]
            except ClientError as error:
                if error_code(error) != "ValidationError":
                    raise
                message = f"There is no stack {self.stack_name!r} in {client.meta.region_name}."
                advice = (
                    "Check the name, AWS_PROFILE and AWS_REGION. To create the stack, run"
                    f" `keyscope deploy --stack {shlex.quote(self.stack_name)}`."
                )
                raise Failure(ExitStatus.NOT_DONE, message, advice) from None
        stack: Mapping[str, Any] = stacks[0]
        return stack

    def management_url(self) -> str:
        """Return the base URL of the management API."""
        if self.url is not None:
            return self.url.rstrip("/")
        if self.session is not None:
            return str(self.session.members["rest_api"])
        return output_of(self.outputs(), "RestApiUrl")

    def provisioning_function(self) -> str:
        """Return the name of the provisioning function."""
        return output_of(self.outputs(), "ProvisioningFunctionName")

    def stack_id(self) -> str:
        """Return what identifies the stack and its store, which a local run loses when it stops."""
        if self.session is not None:
            return f"local run {self.session.members['account_id']}"
        return str(self.described_stack()["StackId"])

    def authorizer_variables(self) -> Mapping[str, str]:
        """Return the environment of the stack's REST authorizer, as deployed."""
        if self.session is not None:
            return {
                **self.session.stack["authorizer_environment"],
                **self.session.stack["endpoints"],
            }
        return variables_of(self._authorizer_function())

    def _authorizer_function(self) -> Mapping[str, Any]:
        arn = output_of(self.outputs(), "RestAuthorizerArn")
        client = self.aws.client("lambda")
        with told_failures():
            found: Mapping[str, Any] = client.get_function_configuration(FunctionName=arn)
        return found

    def authorizer_settings(self) -> AuthorizerSettings:
        """Return the settings of the stack's REST authorizer.

        Raises:
            Failure: they cannot be used here, for example because this package lacks the access
                map.
        """
        try:
            if self.session is not None:
                return read_authorizer_settings(self.authorizer_variables())
            return settings_of(self.aws, self._authorizer_function())
        except Misconfigured as error:
            advice = "Use the version of keyscope that deployed the stack."
            raise Failure(ExitStatus.UNAVAILABLE, str(error), advice) from None

    def authorizer(self) -> Authorizer:
        """Return an authorizer with the stack's settings, your credentials and no caches."""
        dynamodb = self.aws.client("dynamodb")
        settings = self.authorizer_settings()
        return explaining_authorizer(settings, dynamodb, lambda: self.aws.client("kms"))


def local_target(file: Path | None) -> Target:
    """Return the Keyscope that `keyscope up` serves.

    Raises:
        Failure: its session file is missing, malformed, another user's, or leads elsewhere.
    """
    session = read_session(file or state_folder(os.environ) / SESSION_FILE_NAME)
    return Target(Aws(session.stack["endpoints"]), session=session)


def _not_named() -> Failure:
    advice = "Use --stack NAME, or --local if the local stack is running (`keyscope up`)."
    return Failure(ExitStatus.USAGE, "No stack selected.", advice)


def output_of(outputs: Mapping[str, str], name: str) -> str:
    """Return one of a stack's outputs.

    Raises:
        Failure: the stack has no output of that name.
    """
    if name not in outputs:
        message = f"The stack has no output {name}, so it is not a Keyscope stack."
        raise Failure(ExitStatus.NOT_DONE, message, "Check --stack.")
    return outputs[name]
