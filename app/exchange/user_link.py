"""Whether the user data stream is up, and whether it was without a break: what it did not say counts only then.

The stream's own dialling is the exchange's affair (SpotApi.listen).
"""


class UserLink:
    """`breaks` counts how often it came up: the same number at two moments at which it is up means no break between."""

    def __init__(self) -> None:
        self.is_up = False
        self.why = "not dialled yet"
        self.breaks = 0

    def note(self, is_up: bool, why: str) -> None:
        """It is subscribed, or gone for this reason."""
        self.breaks += is_up
        self.is_up, self.why = is_up, "" if is_up else why or "gone"
