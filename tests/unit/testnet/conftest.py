"""Time for tests of the testnet: what its clock takes for real seconds passes only where a test says so."""

import pytest


@pytest.fixture
def passed_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Real seconds so far; a test adds to the one number in it."""
    passed = [0.0]
    monkeypatch.setattr("app.times.monotonic_s", lambda: passed[0])
    return passed
