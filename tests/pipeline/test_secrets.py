import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.secrets import UnknownVariableError, expanded, masked

SECRETS = st.text("abcXYZ019%/:@$!", min_size=4, max_size=12).filter(lambda text: not {*text} <= {*"/:@"})


@given(secret=SECRETS)
def test_no_address_shows_its_password(secret: str) -> None:
    for address in (
        f"https://me:{secret}@host/x.csv",
        f"s3://KEY:{secret}@bucket/x",
        f"postgresql://u:{secret}@h:5/db",
    ):
        assert f":{secret}@" not in masked(f"{address} cannot be read")
        assert "***" in str(PipelineError(address))


@pytest.mark.parametrize("key", ["token", "api_key", "X-Amz-Signature", "sig", "password", "access_token", "secret"])
def test_no_query_shows_its_key(key: str) -> None:
    assert masked(f"https://host/x?a=1&{key}=abc123&b=2") == f"https://host/x?a=1&{key}=***&b=2"


def test_a_named_variable_is_no_secret_and_its_value_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "s3cr/t word")
    text = "postgresql://me:${PASSWORD}@host/db?sslmode=require"
    assert masked(text) == text
    whole = expanded(text)
    assert whole == "postgresql://me:s3cr/t word@host/db?sslmode=require"
    for shown in (whole, "the password 's3cr/t word' is wrong", "s3cr%2Ft%20word", "s3cr%2Ft+word"):
        assert "s3cr" not in masked(shown)
    with pytest.raises(UnknownVariableError, match="NOT_THERE"):
        expanded("${NOT_THERE}")


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8080/a.csv",
        "write to me@x.de",
        "tokens: 5",
        "key: value",
        "conf.yaml:3: tokens[0].label: is missing",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert masked(text) == text
