"""Signatures, held against botocore's."""

import datetime as dt
from unittest.mock import patch

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.aws.lean.credentials import Credentials
from keyscope.aws.lean.sigv4 import Place, signed
from tests.support.profile import UNIT_EXAMPLES

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
NAMES = st.sampled_from(["content-type", "x-amz-target", "x-amz-meta", "accept", "amz-sdk-request"])


@settings(max_examples=UNIT_EXAMPLES, deadline=None)
@given(
    st.dictionaries(NAMES, VALUES),
    st.binary(max_size=200),
    st.builds(Credentials, TEXTS, TEXTS, st.one_of(st.just(""), TEXTS)),
    st.builds(
        Place, TEXTS.filter(lambda text: "/" not in text), st.sampled_from(["dynamodb", "kms"])
    ),
    st.integers(0, 4_000_000_000),
)
def test_a_request_is_signed_as_botocore_signs_it(
    headers: dict[str, str], body: bytes, credentials: Credentials, place: Place, now: int
) -> None:
    ours = signed({**headers, "host": "kms.example:81"}, body, credentials, place, now)
    request = AWSRequest("POST", "http://kms.example:81/", dict(headers), body)
    moment = dt.datetime.fromtimestamp(now, dt.UTC).replace(tzinfo=None)
    by_botocore = BotocoreCredentials(*credentials[:2], credentials.token or None)
    with patch("botocore.auth.get_current_datetime", lambda **_: moment):
        SigV4Auth(by_botocore, place.service, place.region).add_auth(request)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert ours == {"host": "kms.example:81", **theirs}
