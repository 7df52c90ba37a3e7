"""What Binance's documents leave open, and how this exchange plays it: each can be played either way.

A client that trades for money must live with either, so its tests run both; the defaults are what is most likely.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Variants:
    """One field for each open question.

    - `trigger_reports`: a stop that triggers sends a second executionReport NEW with `w: true`.
    - `trigger_text`: what a refusal says of a stop on the wrong side of the market.
    - `oco_refusal`: an OCO whose prices do not stand around the market is refused with the text of its leg, or with
      "The relationship of the prices for the orders is not correct.".
    - `missing_type_code`: of an order type that the symbol lacks. `closed_code`: of an order while the symbol is shut.
    - `cancels_while_shut`: an order can be cancelled while its symbol is in HALT or BREAK.
    - `refusal_reports`: a plain refusal by the matching sends an executionReport REJECTED, too.
    - `finds_cancelled`: a cancelled order is still found by the client id that it was placed with; if not, it has the
      cancel's.
    - `event_order`: which of the events of one change comes first; the others keep their order.
    - `commission`: cut or rounded at 8 decimals.
    - `part_expires_stop`: the first part of a target that fills expires the stop beside it; if not, the last one does.
    - `stop_buy_locks`: what a STOP_LOSS to buy locks.
    - `ids_unique_in`: where no two open orders have the same client id.
    - `fills_lower_count`: the first fill of an order takes it out of the count of unfilled orders.
    - `gap_target`: at what price a resting target is filled when a candle opens beyond it: RULES says the open.
    - `list_reports`: whether orderReports of a list without `newOrderRespType` are those of RESULT or of ACK.
    """

    trigger_reports: bool = True
    trigger_text: Literal["Stop price would trigger immediately.", "Order would trigger immediately."] = (
        "Stop price would trigger immediately."
    )
    oco_refusal: Literal["leg", "relationship"] = "leg"
    missing_type_code: Literal[-1013, -2010] = -1013
    closed_code: Literal[-1013, -2010] = -1013
    cancels_while_shut: bool = True
    refusal_reports: bool = False
    finds_cancelled: bool = True
    event_order: Literal["reports_first", "list_first", "balances_first"] = "reports_first"
    commission: Literal["cut", "rounded"] = "cut"
    part_expires_stop: bool = True
    stop_buy_locks: Literal["stop_price", "nothing"] = "stop_price"
    ids_unique_in: Literal["account", "symbol"] = "account"
    fills_lower_count: bool = True
    gap_target: Literal["open", "limit"] = "open"
    list_reports: Literal["RESULT", "ACK"] = "RESULT"
