"""From settings to the provisioning function's handler."""

import time
from collections.abc import Callable, Mapping

from aws_lambda_powertools import Logger

from keyscope.entry.authorizer import LambdaContext
from keyscope.entry.lifecycle import provisioning
from keyscope.entry.settings import read_provisioning_settings
from keyscope.errors import InvalidInput, Reason, Unavailable, type_and_place
from keyscope.lifecycle.audit import Actor
from keyscope.lifecycle.key_fields import Json
from keyscope.lifecycle.provisioning_request import carry_out, read_operation, shown_faults

ProvisioningHandler = Callable[[object, LambdaContext], Json]


def provisioning_handler(environment: Mapping[str, str]) -> ProvisioningHandler:
    """Build the handler of the provisioning function from its environment.

    Raises:
        Misconfigured: a setting is wrong; the function does not start.
    """
    settings = read_provisioning_settings(environment)
    operations = provisioning(settings, "provisioning")
    logger = Logger(service="provisioning", level=settings.log_level, location=None)

    def handler(event: object, context: LambdaContext) -> Json:
        now = time.time()
        members: dict[str, object] = {"invocation_id": context.aws_request_id}
        try:
            operation = read_operation(event, now)
            members["operation"] = type(operation).__name__
            actor = Actor(request_id=context.aws_request_id)
            result = carry_out(operation, operations.acting_for(actor), now)
        except InvalidInput as invalid:
            members["faults"] = [f"{fault.field}: {fault.code}" for fault in invalid.faults]
            logger.info("invalid", extra=members)
            return shown_faults(invalid)
        except Unavailable as unavailable:
            failed = Unavailable(unavailable.reason, unavailable.detail)
        except Exception as error:  # noqa: BLE001 - Lambda would log the text of any error
            failed = Unavailable(Reason.INTERNAL_ERROR, type_and_place(error))
        else:
            logger.info("done", extra=members | _ids(result))
            return result
        logger.error("failed", extra=members | {"reason": failed.reason, "detail": failed.detail})
        # The caller of `aws lambda invoke` sees a FunctionError with this text. It is a new error,
        # because the cause of the first one may quote the secret to be encrypted.
        raise failed

    return handler


def _ids(result: Json) -> dict[str, object]:
    """Return the ids that an answer names, without its secret, for the log."""
    shown = {
        "account_id": result.get("account"),
        "app_id": result.get("app"),
        "key_id": result.get("key"),
    }
    return {name: value["id"] for name, value in shown.items() if isinstance(value, dict)}
