"""Where keys are read from, who may read them, and that no text ever has them."""

import copy
import json
import pickle
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.errors import ConfigError
from app.exchange.keys import Keys, read_keys

KEY, SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utI", "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XA"


def private_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def pem(password: bytes | None = None, key: object = None) -> str:
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = key or Ed25519PrivateKey.generate()
    made: bytes = private.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed
    )
    return made.decode()


def test_from_the_environment() -> None:
    keys = read_keys({"ONETAPE_API_KEY": KEY, "ONETAPE_API_SECRET": f" {SECRET}\n"})
    assert keys.credentials() == {"apiKey": KEY, "secret": SECRET}
    assert not keys.is_ed25519


def test_from_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    text = f'# of the sub-account\n\nONETAPE_API_KEY={KEY}\nONETAPE_API_SECRET = "{SECRET}"\n'
    path = private_file(tmp_path / "key", text)
    assert read_keys({"ONETAPE_KEY_FILE": str(path)}).credentials() == {"apiKey": KEY, "secret": SECRET}


def test_from_a_systemd_credential_whatever_its_mode(tmp_path: Path) -> None:
    private_file(tmp_path / "onetape", f"ONETAPE_API_KEY={KEY}\nONETAPE_API_SECRET={SECRET}\n", 0o440)
    assert read_keys({"CREDENTIALS_DIRECTORY": str(tmp_path)}).credentials()["secret"] == SECRET
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match="no API key: set ONETAPE_API_KEY"):
        read_keys({"CREDENTIALS_DIRECTORY": str(tmp_path / "other")})


def test_ed25519_by_a_file_beside_the_key(tmp_path: Path) -> None:
    private_file(tmp_path / "my.pem", pem() + "\r\n\n")
    path = private_file(tmp_path / "key", f"ONETAPE_API_KEY={KEY}\nONETAPE_API_PRIVATE_KEY_FILE=my.pem\n")
    keys = read_keys({"ONETAPE_KEY_FILE": str(path)})
    assert keys.is_ed25519
    secret = keys.credentials()["secret"]
    assert len(secret) <= 120, "ccxt takes a longer one for RSA"
    assert secret.startswith("-----BEGIN PRIVATE KEY-----")
    direct = {"ONETAPE_API_KEY": KEY, "ONETAPE_API_PRIVATE_KEY_FILE": str(tmp_path / "my.pem")}
    assert read_keys(direct).credentials() == keys.credentials()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = private_file(tmp_path / "key", f"ONETAPE_API_KEY={KEY}\nONETAPE_API_SECRET={SECRET}\n", mode)
    with pytest.raises(ConfigError, match=f"can be read by others \\(mode {mode:03o}\\): chmod 600"):
        read_keys({"ONETAPE_KEY_FILE": str(path)})
    loose = private_file(tmp_path / "my.pem", pem(), mode)
    with pytest.raises(ConfigError, match="can be read by others"):
        read_keys({"ONETAPE_API_KEY": KEY, "ONETAPE_API_PRIVATE_KEY_FILE": str(loose)})


def test_what_is_wrong_is_said_without_the_key(tmp_path: Path) -> None:
    ed, sealed = pem(), pem(b"word")
    big = pem(key=rsa.generate_private_key(65537, 2048))
    files = {
        "line": f"{SECRET}\n",
        "name": f"ONETAPE_API_KEYS={KEY}\n",
        "half": f"ONETAPE_API_KEY={KEY}\n",
        "secret": f"ONETAPE_API_SECRET={SECRET}\n",
        "both": f"ONETAPE_API_KEY={KEY}\nONETAPE_API_SECRET={SECRET}\nONETAPE_API_PRIVATE_KEY_FILE=ed.pem\n",
        "odd": f"ONETAPE_API_KEY={KEY} {SECRET}\nONETAPE_API_SECRET={SECRET}\n",
        "gone": f"ONETAPE_API_KEY={KEY}\nONETAPE_API_PRIVATE_KEY_FILE=nowhere.pem\n",
        "sealed": f"ONETAPE_API_KEY={KEY}\nONETAPE_API_PRIVATE_KEY_FILE=sealed.pem\n",
        "rsa": f"ONETAPE_API_KEY={KEY}\nONETAPE_API_PRIVATE_KEY_FILE=rsa.pem\n",
        "text": f"ONETAPE_API_KEY={KEY}\nONETAPE_API_PRIVATE_KEY_FILE=line\n",
    }
    for name, text in {**files, "ed.pem": ed, "sealed.pem": sealed, "rsa.pem": big}.items():
        private_file(tmp_path / name, text)
    private_file(tmp_path / "binary", "").write_bytes(b"\xff\xfe" + SECRET.encode())
    expected = {
        "line": "line 1: write NAME=VALUE with one of ONETAPE_API_KEY",
        "name": "line 1: write NAME=VALUE with one of ONETAPE_API_KEY",
        "half": "has neither of ONETAPE_API_SECRET",
        "secret": "has no ONETAPE_API_KEY",
        "both": "has both of ONETAPE_API_SECRET",
        "odd": "is no key: it has characters that no key has",
        "gone": "nowhere.pem cannot be read: No such file or directory",
        "sealed": "is no unencrypted private key in PEM form",
        "rsa": "is a private key of another type than Ed25519",
        "text": "is no unencrypted private key in PEM form",
        "binary": "cannot be read: it is no text",
        "nowhere": "cannot be read: No such file or directory",
        ".": "cannot be read: Is a directory",
    }
    for name, said in expected.items():
        with pytest.raises(ConfigError) as caught:
            read_keys({"ONETAPE_KEY_FILE": str(tmp_path / name)})
        shown = "".join(traceback.format_exception(caught.value))
        assert said in shown
        for hidden in (KEY, SECRET, *ed.splitlines()[1:2], *sealed.splitlines()[1:3], *big.splitlines()[1:3]):
            assert hidden not in shown, name


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    path = private_file(tmp_path / "key", f"ONETAPE_API_KEY={KEY}\nONETAPE_API_SECRET={SECRET}\n")
    both = {"ONETAPE_API_KEY": KEY, "ONETAPE_API_SECRET": SECRET, "ONETAPE_KEY_FILE": str(path)}
    with pytest.raises(ConfigError, match="two API keys, from the environment and from ONETAPE_KEY_FILE"):
        read_keys(both)


@pytest.mark.parametrize("is_ed25519", [False, True])
def test_no_text_has_the_key(is_ed25519: bool) -> None:
    keys = Keys(KEY, SECRET, is_ed25519=is_ed25519)
    texts = [repr(keys), str(keys), f"{keys}", f"{keys!r:>80}", repr([keys]), repr({"keys": keys})]
    for give_away in (pickle.dumps, copy.deepcopy, copy.copy, json.dumps, vars):
        with pytest.raises(TypeError) as caught:
            give_away(keys)
        texts.append(str(caught.value))
    assert KEY not in "".join(texts)
    assert SECRET not in "".join(texts)


def test_scrubbed_texts() -> None:
    keys = Keys(KEY, SECRET)
    for text in (
        f"https://x/api/v3/order?a=1&signature=0123456789abcdef&b={KEY}",
        f'{{\'X-MBX-APIKEY\': \'{KEY}\', "signature": "0123456789abcdef", "uid": 354937868}}',
        f"apiKey={SECRET} Signature = 0123456789abcdef uid:354937868",
    ):
        scrubbed = keys.scrubbed(text)
        for hidden in (KEY, SECRET, "0123456789abcdef", "354937868"):
            assert hidden not in scrubbed
    plain = "Invalid API-key, IP, or permissions for action."
    assert keys.scrubbed(plain) == plain
