"""The TLS context of the container, over the roots that botocore trusts, too.

With a directory of roots, named by their subjects' hashes as OpenSSL finds them, no connection and
no start parses more than the root that it needs.
"""

import os
from importlib.util import find_spec
from ssl import PROTOCOL_TLS_CLIENT, SSLContext, TLSVersion

ROOTS = os.path.join(os.path.dirname(__file__), "roots")  # noqa: PTH118, PTH120 - at each start
"""The directory that the layer's build makes of botocore's bundle."""


def trusting_context(roots: str = ROOTS) -> SSLContext:
    """Return a context that checks certificates and host names.

    Without the directory, as in a checkout, it reads the bundle of the botocore that is installed.
    """
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLSVersion.TLSv1_2
    if has_roots(roots):
        context.load_verify_locations(capath=roots)
        return context
    botocore = find_spec("botocore")
    if botocore is not None and botocore.origin is not None:
        context.load_verify_locations(os.path.join(os.path.dirname(botocore.origin), "cacert.pem"))  # noqa: PTH118, PTH120
    return context


def has_roots(roots: str = ROOTS) -> bool:
    """Return whether the directory of roots is there."""
    return os.path.isdir(roots)  # noqa: PTH112 - at each start
