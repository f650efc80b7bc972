"""The TLS context of the container, over the roots that botocore trusts, too.

With a directory of roots, named by their subjects' hashes as OpenSSL finds them, no connection and
no start parses more than the root that it needs.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from ssl import PROTOCOL_TLS_CLIENT, SSLContext, TLSVersion

ROOTS = os.path.join(os.path.dirname(__file__), "roots")  # noqa: PTH118, PTH120 - at each start
"""The directory that the layer's build makes of botocore's bundle."""
_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""The variables that name another bundle to botocore; the first counts."""


def trusting_context(environment: Mapping[str, str], roots: str = ROOTS) -> SSLContext:
    """Return a context that checks certificates and host names.

    It trusts the bundle that the environment names, else the directory of roots, and where that was
    not built, as in a checkout, the bundle of the installed botocore. Without any of them it
    trusts no one.

    Raises:
        OSError: the bundle cannot be read.
    """
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLSVersion.TLSv1_2
    named = [environment[name] for name in _BUNDLES if environment.get(name)]
    if named:
        context.load_verify_locations(named[0])
    elif os.path.isdir(roots):  # noqa: PTH112 - at each start
        context.load_verify_locations(capath=roots)
    elif (botocore := find_spec("botocore")) is not None and botocore.origin is not None:
        folder = os.path.dirname(botocore.origin)  # noqa: PTH120 - at each start
        context.load_verify_locations(os.path.join(folder, "cacert.pem"))  # noqa: PTH118
    return context
