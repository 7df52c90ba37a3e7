"""How long the order desk waits for what: all of it can be set, so that a test or a testnet may be quicker.

Nothing here is a proof: whether an order never arrived is decided by the exchange's clock (app/exchange/placements.py).
"""

from typing import NamedTuple


class OrderTimes(NamedTuple):
    """Seconds of this machine, but for `late_ms`."""

    answer_s: float = 15.0  # an exchange gives up after 10 s and says so: waiting a little longer hears it
    ask_s: float = 2.0  # a request without an answer: the order itself is asked for after so long
    late_ms: int = 10_000  # of the exchange's clock: how far past its receive window a request counts as dead
    poll_s: float = 20.0  # orders and trades are asked for this often though the stream says nothing is missing
    reconcile_s: float = 300.0  # a snapshot of the account
    cancel_base_s: float = 1.0  # before a cancellation is sent again; doubled each time
    again_s: float = 12.0  # a refusal of what protects or closes is said again: time to try anew
    longest_s: float = 60.0  # no wait between two tries is longer
    gap_s: float = 0.5  # an order that tells more than its trades: how long these may be under way
    price_s: float = 60.0  # how long the price of a fee's asset is good
    snapshot_tries: int = 6  # each waits twice as long as the one before: a history may lag behind


DEFAULT_TIMES = OrderTimes()
