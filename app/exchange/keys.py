"""The key of an account: where it is read from, and a type that shows it to nobody.

It comes from the environment, from a file that nobody else can read, or from a systemd credential; never from an
argument or a config, which end up in process lists, manifests and version control.
"""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from app.errors import ConfigError

KEY, SECRET, PRIVATE_KEY_FILE, KEY_FILE = (
    "ONETAPE_API_KEY", "ONETAPE_API_SECRET", "ONETAPE_API_PRIVATE_KEY_FILE", "ONETAPE_KEY_FILE",
)  # fmt: skip
_CREDENTIAL = "onetape"
_HIDDEN = "***"
# What a request carries besides the key itself: a signature, in an address, a form or JSON.
_SIGNED = re.compile(r"""(?i)(signature|api-?key|secret|uid)(["']?\s*[=:]\s*["']?)[^&\s"',;}]+""")
_FILE_BYTES = 64_000


class Keys:
    """An API key with its HMAC secret, or with an Ed25519 private key as PEM.

    No text that can be made of it has the key: not `repr`, not a log line, not a traceback of it; it cannot be pickled.
    """

    __slots__ = ("_api_key", "_secret", "is_ed25519")

    def __init__(self, api_key: str, secret: str, *, is_ed25519: bool = False) -> None:
        self._api_key, self._secret, self.is_ed25519 = api_key, secret, is_ed25519

    def __repr__(self) -> str:
        return f"Keys({'Ed25519' if self.is_ed25519 else 'HMAC'}, {_HIDDEN})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")

    def credentials(self) -> dict[str, str]:
        """For whoever signs; nothing else may ask."""
        return {"apiKey": self._api_key, "secret": self._secret}

    def mark(self) -> str:
        """What tells this key from others and tells nobody which it is."""
        return account_mark(self._api_key)

    def scrubbed(self, text: str) -> str:
        """The text without key, secret, signature and account id, for messages that somebody else wrote."""
        for hidden in (self._api_key, self._secret):
            text = text.replace(hidden, _HIDDEN)
        return _SIGNED.sub(rf"\1\2{_HIDDEN}", text)


def account_mark(what: str) -> str:
    """A short name for what is secret, too costly to be found by trying: an account's number has few digits."""
    return hashlib.scrypt(what.encode(), salt=b"onetape account", n=1 << 14, r=8, p=1, dklen=12).hex()


def read_keys(environment: Mapping[str, str] | None = None) -> Keys:
    """The key of this process; ConfigError, without a word of the key, where there is none or more than one."""
    named = os.environ if environment is None else environment
    sources: dict[str, tuple[Mapping[str, str], Path]] = {}
    if any(named.get(name) for name in (KEY, SECRET, PRIVATE_KEY_FILE)):
        sources["the environment"] = (named, Path())
    if named.get(KEY_FILE):
        path = Path(named[KEY_FILE]).expanduser()
        sources[f"{KEY_FILE} {path}"] = (_lines(path, _private_text(path)), path.parent)
    credential = Path(named["CREDENTIALS_DIRECTORY"]) / _CREDENTIAL if named.get("CREDENTIALS_DIRECTORY") else None
    if credential is not None and credential.is_file():
        # systemd hands it to this service alone, with the access rights that it sees fit.
        text = _private_text(credential, is_guarded=True)
        sources[f"the credential {credential}"] = (_lines(credential, text), credential.parent)
    if not sources:
        raise ConfigError(
            f"no API key: set {KEY} and {SECRET} (or {PRIVATE_KEY_FILE} for Ed25519), {KEY_FILE}, "
            f"or load a systemd credential named {_CREDENTIAL}"
        )
    if len(sources) > 1:
        raise ConfigError(f"two API keys, from {' and from '.join(sources)}: which one is meant? Leave one")
    (where, (values, folder)), *_ = sources.items()
    return _keys_of(where, values, folder, is_guarded=where.startswith("the credential"))


def _keys_of(where: str, values: Mapping[str, str], folder: Path, *, is_guarded: bool) -> Keys:
    api_key, secret, private = (values.get(name, "").strip() for name in (KEY, SECRET, PRIVATE_KEY_FILE))
    if not api_key:
        raise ConfigError(f"{where} has no {KEY}")
    if bool(secret) == bool(private):
        said = "both" if secret else "neither"
        raise ConfigError(f"{where} has {said} of {SECRET} (HMAC) and {PRIVATE_KEY_FILE} (Ed25519); one is needed")
    for name, value in ((KEY, api_key), (SECRET, secret)):
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ConfigError(f"{name} from {where} is no key: it has characters that no key has")
    if secret:
        return Keys(api_key, secret)
    path = folder / Path(private).expanduser()
    return Keys(api_key, _ed25519_pem(path, _private_text(path, is_guarded=is_guarded)), is_ed25519=True)


def _ed25519_pem(path: Path, text: str) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    problem = "is no unencrypted private key in PEM form"
    try:
        private = serialization.load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        private = None
    if private is not None and not isinstance(private, Ed25519PrivateKey):
        private, problem = None, "is a private key of another type than Ed25519"
    if private is None:
        raise ConfigError(f"{PRIVATE_KEY_FILE} {path} {problem}")
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # ccxt takes a PEM of more than 120 characters for an RSA key: one line end more would do.
    return pem.decode().strip()


def _lines(path: Path, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, sign, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not sign or name.strip() not in (KEY, SECRET, PRIVATE_KEY_FILE):
            known = ", ".join((KEY, SECRET, PRIVATE_KEY_FILE))
            raise ConfigError(f"{path}, line {number}: write NAME=VALUE with one of {known}")
        values[name.strip()] = value.strip().strip("\"'")
    return values


def _private_text(path: Path, *, is_guarded: bool = False) -> str:
    """A file's text; ConfigError if anybody else could read it, judged by the file that is open."""
    try:
        with path.open("rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise ConfigError(f"{path} is no file")
            if not is_guarded and seen.st_mode & 0o077:
                raise ConfigError(f"{path} can be read by others (mode {seen.st_mode & 0o777:03o}): chmod 600 {path}")
            if not is_guarded and seen.st_uid not in (os.geteuid(), 0):
                raise ConfigError(f"{path} belongs to another user")
            return file.read(_FILE_BYTES).decode()
    except OSError as error:
        why = error.strerror or "cannot be read"
    except UnicodeDecodeError:
        why = "it is no text"
    raise ConfigError(f"{path} cannot be read: {why}")
