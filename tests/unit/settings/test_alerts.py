"""alerts.yaml and the addresses: one line for each mistake, and no address in any."""

from pathlib import Path

import pytest

from app.errors import ConfigError
from app.settings.alerts import AlertSettings, read_alerts, read_urls


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_defaults_and_what_a_file_changes(tmp_path: Path) -> None:
    assert read_alerts(None) == AlertSettings()
    found = read_alerts(written(tmp_path / "alerts.yaml", "heartbeat_s: 5\nfeed_down_s: null\nfills: true\n"))
    assert (found.heartbeat_s, found.feed_down_s, found.fills, found.daily) == (5, None, True, False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("heartbeat: 5", "unknown key heartbeat.*did you mean heartbeat_s"),
        ("heartbeat_s: -1", "heartbeat_s"),
        ("heartbeat_s: soon", "heartbeat_s"),
        ("fills: 3", "fills"),
        ("[1]", "holds list, not keys"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_alerts(written(tmp_path / "alerts.yaml", text))


def test_addresses_come_from_the_environment_or_a_file_of_ones_own(tmp_path: Path) -> None:
    assert read_urls(AlertSettings(), {"ONETAPE_ALERT_URLS": " json://a \n mailto://b "}) == ("json://a", "mailto://b")
    path = written(tmp_path / "urls", "# mine\njson://a\n\n  tgram://b\n")
    assert read_urls(AlertSettings(urls_file=str(path)), {}) == ("json://a", "tgram://b")


def test_addresses_that_are_missing_or_open_to_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no address for alerts: set ONETAPE_ALERT_URLS"):
        read_urls(AlertSettings(), {})
    open_to_all = written(tmp_path / "open", "json://topsecret\n", 0o644)
    with pytest.raises(ConfigError, match="may be read by others: `chmod 600") as told:
        read_urls(AlertSettings(urls_file=str(open_to_all)), {})
    assert "topsecret" not in str(told.value)
    with pytest.raises(ConfigError, match="holds no address"):
        read_urls(AlertSettings(urls_file=str(written(tmp_path / "empty", "# none\n"))), {})
    with pytest.raises(ConfigError, match="cannot be read"):
        read_urls(AlertSettings(urls_file=str(tmp_path / "nowhere")), {})
