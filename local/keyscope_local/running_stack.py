"""The running stack: functions, APIs over HTTP, queue pollers, API Gateway's control plane.

It starts in steps, because the store is filled after the first: `loaded_stack` has the functions,
`served_stack` the APIs and the control plane, `polled_stack` the pollers, `subscribed_stack` the
subscriptions to functions' logs.
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from keyscope_local.emulators.embedded_aws import EmbeddedAws
from keyscope_local.emulators.log_subscriptions import subscribed_logs
from keyscope_local.emulators.queue_poller import polled_queues
from keyscope_local.emulators.queues import empty_queues
from keyscope_local.gateway.api_definition import ApiKind
from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.gateway.control_plane import control_plane, control_plane_environment
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.platform_behavior import PlatformBehavior
from keyscope_local.gateway.server import bound, served, serving, url_of
from keyscope_local.template.function_loader import LocalFunction, loaded_functions
from keyscope_local.template.stack import Stack


@dataclass(frozen=True, slots=True)
class LoadedStack:
    """A stack with its functions, which know where the control plane will listen."""

    stack: Stack
    aws: EmbeddedAws
    functions: Mapping[str, LocalFunction]
    control_plane_listener: socket.socket

    @property
    def control_plane_url(self) -> str:
        """Where the control plane listens once the stack is served."""
        return url_of(self.control_plane_listener)


@dataclass(frozen=True, slots=True)
class ServedStack:
    """A stack whose APIs can be called at `urls`, in the order of `gateways`."""

    gateways: list[Gateway]
    urls: list[str]


@contextmanager
def loaded_stack(
    stack: Stack, aws: EmbeddedAws, environment: Mapping[str, str] | None = None
) -> Iterator[LoadedStack]:
    """Load the stack's functions; `environment` overrides their own and the embedded AWS's.

    Raises:
        KeyscopeError: a function does not start, for example because a setting is wrong.
    """
    with bound(0) as listener:
        endpoints = {**aws.environment, **control_plane_environment(url_of(listener))}
        with loaded_functions(stack, {**endpoints, **(environment or {})}) as functions:
            yield LoadedStack(stack, aws, functions, listener)


@contextmanager
def served_stack(
    loaded: LoadedStack,
    first_port: int,
    clock: Callable[[], float] = time.time,
    behaviors: Mapping[ApiKind, PlatformBehavior] = {},
) -> Iterator[ServedStack]:
    """Serve the APIs, on ports counted from the first, with empty caches.

    With a first port of 0, the system chooses free ports. `behaviors` says what to assume about
    API Gateway.

    Raises:
        PortTaken: a port is in use.
        TemplateError: an API uses something that is not supported here.
    """
    gateways = [Gateway(api, loaded.functions, clock) for api in read_apis(loaded.stack, behaviors)]
    with (
        serving(gateways, first_port) as urls,
        served((control_plane(gateways, loaded.functions), loaded.control_plane_listener)),
    ):
        yield ServedStack(gateways, urls)


@contextmanager
def polled_stack(loaded: LoadedStack) -> Iterator[None]:
    """Poll the queues of a served stack for its functions, starting with empty queues.

    Stacks that share an embedded AWS share its queues, so only one of them may be polled at a time.

    Raises:
        TemplateError: an event source uses something that is not supported here.
    """
    # Messages from before the stack was served have nothing to flush.
    empty_queues(loaded.stack, loaded.aws.endpoint_url)
    with polled_queues(loaded.stack, loaded.functions, loaded.aws.endpoint_url):
        yield


@contextmanager
def subscribed_stack(loaded: LoadedStack) -> Iterator[None]:
    """Pass lines of functions' logs to the functions that are subscribed to them.

    Raises:
        TemplateError: a subscription filter contains what is not supported here.
    """
    with subscribed_logs(loaded.stack, loaded.functions):
        yield
