"""Accounts and keys: which signature is a key's own, and what in a file of accounts makes no sense."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.errors import ConfigError
from app.testnet.api_keys import TEST_ACCOUNT, TEST_KEY, TEST_SECRET, ApiKey, parse_accounts, read_accounts

PAYLOAD = b"symbol=BTCUSDT&timestamp=1"


def pem(private: Ed25519PrivateKey | X25519PrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def account(**changes: Any) -> dict[str, Any]:
    return {"name": "one", "balances": {"USDT": 5}, "keys": [{"key": "k1", "secret": "s"}], **changes}


def test_an_hmac_signature_in_either_case() -> None:
    key = ApiKey("k", "one", "secret")
    right = hmac.new(b"secret", PAYLOAD, hashlib.sha256).hexdigest()
    assert key.signed(PAYLOAD, right) and key.signed(PAYLOAD, right.upper())
    assert not key.signed(PAYLOAD + b"0", right)
    assert not key.signed(PAYLOAD, "") and not key.signed(PAYLOAD, "é")
    assert "hidden" not in repr(ApiKey("k", "one", "hidden"))


def test_an_ed25519_signature_of_the_right_private_key_only() -> None:
    private, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    key = ApiKey("k", "one", public_key=pem(private))
    assert key.signed(PAYLOAD, base64.b64encode(private.sign(PAYLOAD)).decode())
    assert not key.signed(PAYLOAD, base64.b64encode(other.sign(PAYLOAD)).decode())
    for wrong in ("", "not base64", "é", base64.b64encode(b"short").decode()):
        assert not key.signed(PAYLOAD, wrong)


def test_a_file_of_accounts(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    keys = [{"key": "k1", "secret": "s", "may_trade": False, "ips": ["10.0.0.1"]}]
    path.write_text(json.dumps([account(keys=keys), account(name="two", keys=[{"key": "k2", "secret": "s"}])]))
    one, two = read_accounts(path)
    assert (one.name, one.balances, two.name) == ("one", {"USDT": 5.0}, "two")
    assert one.keys == (ApiKey("k1", "one", "s", may_trade=False, ips=("10.0.0.1",)),)
    assert parse_accounts([TEST_ACCOUNT]) == (TEST_ACCOUNT,)
    assert (len(TEST_KEY), len(TEST_SECRET), TEST_ACCOUNT.balances) == (64, 64, {"USDT": 10_000.0})


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "write a list of accounts"),
        ({"name": "one"}, "write a list of accounts"),
        (["one"], "an account has the fields name, balances, keys"),
        ([account(nam="one")], "an account has no field 'nam'"),
        ([account(name="")], "an account needs a name"),
        ([account(balances=[1])], "one: balances: write amounts by asset"),
        ([account(balances={"USDT": -1})], "one: balances: USDT: -1 is no amount"),
        ([account(balances={"USDT": True})], "one: balances: USDT: True is no amount"),
        ([account(balances={"usdt": 1})], "one: balances: usdt: 1 is no amount of an asset"),
        ([account(keys=[])], "one: keys: write a list of keys"),
        ([account(keys=[{"key": "k 1", "secret": "s"}])], "a key is 1 to 64 letters and digits"),
        ([account(keys=[{"key": "k1"}])], "a key needs secret (HMAC) or public_key"),
        ([account(keys=[{"key": "k1", "secret": "s", "public_key": "p"}])], "a key needs secret (HMAC) or public_key"),
        ([account(keys=[{"key": "k1", "public_key": "p"}])], "public_key is no Ed25519 key in PEM"),
        ([account(keys=[{"key": "k1", "public_key": pem(X25519PrivateKey.generate())}])], "public_key is no Ed25519"),
        ([account(keys=[{"key": "k1", "secret": "s", "ips": "10.0.0.1"}])], "ips: write a list of addresses"),
        ([account(keys=[{"key": "k1", "secret": "s", "may_trade": 1}])], "may_trade is true or false"),
        ([account(), account(keys=[{"key": "k2", "secret": "s"}])], "two have the same account"),
        ([account(), account(name="two")], "two have the same key"),
    ],
)
def test_what_makes_no_sense(specs: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_accounts(specs)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_accounts(tmp_path / "absent.json")
    path = tmp_path / "accounts.json"
    path.write_text("{")
    with pytest.raises(ConfigError, match="is no JSON"):
        read_accounts(path)
    path.write_text("[]")
    with pytest.raises(ConfigError, match=r"^--account .*accounts.json: write a list"):
        read_accounts(path)
