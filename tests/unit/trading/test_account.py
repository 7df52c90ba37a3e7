"""Equity and exposure from the books, and nothing else in them."""

import pytest

from app.models.orders import Side
from tests.made import ETH, ETH_LINE, account_with, entry, position


def test_an_account_without_positions_is_worth_its_balance() -> None:
    account = account_with(balance=1_234.5)
    assert (account.equity(), account.exposure(), account.starting_balance) == (1_234.5, 0.0, 1_234.5)


def test_equity_is_the_balance_and_what_the_positions_would_bring() -> None:
    # Long 2 from 100, now 110: +20 - 0.2. Short 3 from 50, now 45: +15 - 0.1.
    short = position(
        symbol=ETH, side=Side.SHORT, quantity=3.0, entry_price=50.0, entry_commission=0.1, stop=60.0, target=30.0
    )
    account = account_with(position(), short, BTC=110.0, ETH=45.0)
    assert account.equity() == pytest.approx(10_000 + 19.8 + 14.9)
    assert account.balance == 10_000.0


def test_exposure_counts_open_positions_and_pending_entries_at_their_marks() -> None:
    account = account_with(position(), BTC=110.0, ETH=45.0)
    account.pending[ETH_LINE] = entry(symbol=ETH, side=Side.SHORT, quantity=3.0)
    assert account.exposure() == pytest.approx(2 * 110 + 3 * 45)
