"""Refusals carry Binance's code and text; those of the limit of orders have a status of their own."""

from app.testnet.trading_errors import Refused, filter_failure, illegal, missing, needless, too_many_orders


def test_codes_and_texts() -> None:
    assert [(one.code, one.text, one.status) for one in (missing("x"), needless("x"), filter_failure("LOT_SIZE"))] == [
        (-1102, "Mandatory parameter 'x' was not sent, was empty/null, or malformed.", 400),
        (-1106, "Parameter 'x' sent when not required.", 400),
        (-1013, "Filter failure: LOT_SIZE", 400),
    ]
    assert illegal("x", "^a$").body == {
        "code": -1100, "msg": "Illegal characters found in parameter 'x'; legal range is '^a$'.",
    }  # fmt: skip
    over = too_many_orders(50, "10 SECOND")
    assert (over.status, over.code, over.text) == (
        429, -1015, "Too many new orders; current limit is 50 orders per 10 SECOND.",
    )  # fmt: skip
    assert Refused(-2010, "no").reason is None
