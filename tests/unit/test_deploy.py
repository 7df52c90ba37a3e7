"""deploy/: the systemd unit and the Dockerfile, held to docs/live.md; by their own tools where there are any."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.main import _mode_parser

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "onetape.service"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def unit_lines() -> list[tuple[str, str]]:
    """(key, value) of the unit, continued lines joined."""
    text = UNIT.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "["))]
    return [(key, " ".join(value.split())) for key, _, value in (line.partition("=") for line in lines)]


def unit() -> dict[str, str]:
    """The unit's values."""
    return dict(unit_lines())


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of the Dockerfile, comments left out, continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [
        (word.upper(), " ".join(rest.split()))
        for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


# The unit.


def test_it_restarts_after_a_crash_and_not_after_bad_input() -> None:
    values = unit()
    assert values["Restart"] == "on-failure"
    assert values["RestartPreventExitStatus"] == "2"
    assert values["StartLimitIntervalSec"] == "0"
    assert values["KillSignal"] == "SIGTERM"
    assert int(values["TimeoutStopSec"]) >= 30


def test_a_restart_continues_and_its_user_is_nobody_special() -> None:
    values = unit()
    words = values["ExecStart"].split()
    assert words[1:3] == ["-m", "app"]
    args = _mode_parser().parse_args(words[3:])
    assert (args.mode, args.out, args.cache) == (
        "paper",
        Path("/var/lib/onetape/session"),
        Path("/var/lib/onetape/cache"),
    )
    assert values["User"] == values["Group"] == values["StateDirectory"] == "onetape"
    assert values["ProtectSystem"] == "strict"
    assert values["NoNewPrivileges"] == "yes"


def test_no_key_twice_and_every_section_once() -> None:
    keys = [key for key, _ in unit_lines() if key not in ("Environment", "After")]
    assert len(keys) == len(set(keys))
    assert re.findall(r"^\[(\w+)\]$", UNIT.read_text(), re.MULTILINE) == ["Unit", "Service", "Install"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_accepts_it(tmp_path: Path) -> None:
    """With a program that exists here; an unknown key or value is a line on standard error."""
    made = tmp_path / "onetape.service"
    made.write_text(UNIT.read_text().replace("/opt/onetape/.venv/bin/python", sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    own = [line for line in done.stderr.splitlines() if "onetape" in line]
    if done.returncode and not own:
        pytest.skip(f"systemd-analyze does not work here: {done.stderr.strip()[:200]}")
    assert (done.returncode, own) == (0, [])
    made.write_text(made.read_text().replace("RestartSec=5", "RestartSecs=5"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "RestartSecs" in done.stderr, "it would have told"


# The Dockerfile.


def test_it_is_slim_and_names_no_host() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert bases == ["python:3.11-slim", "python:3.11-slim"]
    text = DOCKERFILE.read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text)
    assert all("." not in base.split("/")[0].split(":")[0] for base in bases)


def test_packages_come_by_the_lock_file_alone() -> None:
    runs = " ".join(rest for word, rest in instructions() if word == "RUN")
    assert runs.count("pip install") == 1
    assert "--require-hashes -r requirements.lock" in runs
    assert "apt" not in runs
    assert "curl" not in runs


def test_it_does_not_run_as_root() -> None:
    names = [word for word, _ in instructions()]
    last_base = len(names) - 1 - names[::-1].index("FROM")
    users = [rest for word, rest in instructions()[last_base:] if word == "USER"]
    assert users == ["onetape"]
    assert names.index("ENTRYPOINT") > names.index("USER")


def test_what_it_copies_is_there_and_nothing_else_is_sent() -> None:
    allowed = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert allowed[0] == "*"
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in allowed


def test_its_command_is_one_of_the_program() -> None:
    said = dict(instructions())
    assert said["ENTRYPOINT"] == '[".venv/bin/python", "-m", "app"]'
    args = _mode_parser().parse_args(re.findall(r'"([^"]+)"', said["CMD"]))
    assert (args.mode, args.out) == ("paper", Path("/var/lib/onetape/session"))
    assert said["STOPSIGNAL"] == "SIGTERM"
    assert said["VOLUME"] == "/var/lib/onetape"


def test_docker_accepts_it() -> None:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed here")
    if subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=300).returncode:
        pytest.skip("no docker daemon answers here")
    command = ["docker", "build", "--check", "-f", str(DOCKERFILE), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "unknown flag" in done.stderr:
        pytest.skip("this docker has no `build --check`")
    if re.search(r"failed to resolve|dial tcp|lookup |no such host", done.stderr):
        pytest.skip("docker cannot look at the base image from here")
    assert done.returncode == 0, done.stdout + done.stderr
