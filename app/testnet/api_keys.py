"""Accounts of the testnet and their API keys: who may do what, and whether a signature is a key's own.

A key signs with HMAC-SHA256, for which the testnet holds the secret, or with Ed25519, for which it holds the public key
only. A file of accounts that makes no sense is a ConfigError of one line.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import ConfigError

KEY_FORMAT = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
_ASSET = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)
# For whoever wants no account of his own: `--trade`.
TEST_KEY = "OnetapeTestnetKey".ljust(64, "0")
TEST_SECRET = "OnetapeTestnetSecret".ljust(64, "0")
_TEST_USDT = 10_000.0
_RIGHTS = {"may_read": True, "may_trade": True, "may_withdraw": False}


@dataclass(frozen=True)
class ApiKey:
    """One key of an account: `secret` of HMAC or `public_key` (PEM) of Ed25519; `ips` are all that may use it, or any
    if there are none."""

    key: str
    account: str
    secret: str | None = field(default=None, repr=False)
    public_key: str | None = None
    may_read: bool = True
    may_trade: bool = True
    may_withdraw: bool = False
    ips: tuple[str, ...] = ()

    def signed(self, payload: bytes, signature: str) -> bool:
        """Whether the signature is this key's, of this payload."""
        if self.secret is not None:
            right = hmac.new(self.secret.encode(), payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(right.encode(), signature.lower().encode())
        try:
            _public_key(self.public_key or "").verify(base64.b64decode(signature, validate=True), payload)
        except (ValueError, binascii.Error, _invalid_signature()):
            return False
        return True


@dataclass(frozen=True)
class Account:
    """An account as it begins."""

    name: str
    balances: Mapping[str, float]
    keys: tuple[ApiKey, ...]


TEST_ACCOUNT = Account("test", {"USDT": _TEST_USDT}, (ApiKey(TEST_KEY, "test", TEST_SECRET),))


def parse_accounts(specs: object) -> tuple[Account, ...]:
    """Accounts from plain keys, as in a file; an Account is what it is."""
    if not isinstance(specs, Sequence) or isinstance(specs, str) or not specs:
        raise ConfigError("accounts: write a list of accounts, each with name, balances and keys")
    accounts = tuple(spec if isinstance(spec, Account) else _account(spec) for spec in specs)
    for what, names in (
        ("account", [account.name for account in accounts]),
        ("key", [key.key for account in accounts for key in account.keys]),
    ):
        if len(set(names)) < len(names):
            raise ConfigError(f"accounts: two have the same {what}")
    return accounts


def read_accounts(path: Path) -> tuple[Account, ...]:
    """The accounts of a JSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--account {path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--account {path}: is no JSON: {error}") from None
    try:
        return parse_accounts(content)
    except ConfigError as error:
        raise ConfigError(f"--account {path}: {str(error).removeprefix('accounts: ')}") from None


def _account(spec: Any) -> Account:
    fields = _fields(spec, "an account", ("name", "balances", "keys"))
    name, balances, keys = fields.get("name"), fields.get("balances"), fields.get("keys")
    if not isinstance(name, str) or not name:
        raise ConfigError("accounts: an account needs a name")
    if not isinstance(balances, Mapping):
        raise ConfigError(f'accounts: {name}: balances: write amounts by asset, like {{"USDT": 10000}}')
    for asset, amount in balances.items():
        is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not _ASSET.fullmatch(str(asset)) or not is_number or not 0 <= amount < math.inf:
            raise ConfigError(f"accounts: {name}: balances: {asset}: {amount!r} is no amount of an asset")
    if not isinstance(keys, Sequence) or isinstance(keys, str) or not keys:
        raise ConfigError(f"accounts: {name}: keys: write a list of keys, each with key and secret or public_key")
    return Account(name, {asset: float(amount) for asset, amount in balances.items()}, tuple(_keys(name, keys)))


def _keys(name: str, specs: Sequence[Any]) -> list[ApiKey]:
    keys = []
    for spec in specs:
        fields = _fields(spec, f"{name}: a key", ("key", "secret", "public_key", *_RIGHTS, "ips"))
        key, secret, public_key = fields.get("key"), fields.get("secret"), fields.get("public_key")
        if not isinstance(key, str) or not KEY_FORMAT.fullmatch(key):
            raise ConfigError(f"accounts: {name}: a key is 1 to 64 letters and digits")
        if (secret is None) == (public_key is None) or not isinstance(secret or public_key, str):
            raise ConfigError(f"accounts: {name}: a key needs secret (HMAC) or public_key (Ed25519, PEM)")
        if public_key is not None:
            try:
                _public_key(public_key)
            except ValueError:
                raise ConfigError(f"accounts: {name}: public_key is no Ed25519 key in PEM") from None
        ips = fields.get("ips", ())
        if not isinstance(ips, Sequence) or isinstance(ips, str) or not all(isinstance(ip, str) for ip in ips):
            raise ConfigError(f"accounts: {name}: ips: write a list of addresses")
        rights = {right: fields.get(right, default) for right, default in _RIGHTS.items()}
        wrong = [right for right, value in rights.items() if not isinstance(value, bool)]
        if wrong:
            raise ConfigError(f"accounts: {name}: {wrong[0]} is true or false")
        keys.append(ApiKey(key, name, secret, public_key, ips=tuple(ips), **rights))
    return keys


def _fields(spec: Any, what: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(spec, Mapping):
        raise ConfigError(f"accounts: {what} has the fields {', '.join(known)}")
    unknown = [name for name in spec if name not in known]
    if unknown:
        raise ConfigError(f"accounts: {what} has no field {unknown[0]!r}; known are {', '.join(known)}")
    return spec


def _public_key(text: str) -> Any:
    """ValueError if it is none of Ed25519."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    return key


def _invalid_signature() -> type[Exception]:
    from cryptography.exceptions import InvalidSignature

    return InvalidSignature
