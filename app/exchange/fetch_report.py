"""What a fetch did, and how far one is: nouns between the provider, the command line and the progress bar.

Counts and notes, no request and no text of a table.
"""

from dataclasses import dataclass, field

from app.exchange.series_fetch import SeriesReport


@dataclass
class FetchReport:
    """What a fetch did: a row a series, the requests and their weight, and what a user should know."""

    exchange: str
    host: str
    timeframe: str
    start_ms: int
    end_ms: int
    series: list[SeriesReport]
    requests: int = 0
    weight: int = 0
    retried: int = 0
    elapsed_s: float = 0.0
    clock_ahead_ms: int | None = None  # the exchange's clock against this machine's
    notes: list[str] = field(default_factory=list)

    @property
    def new(self) -> int:
        """Candles that the cache did not have before."""
        return sum(one.new for one in self.series)

    def summary(self) -> str:
        """What came, from where, how long it took and what it cost, in one line."""
        if self.requests == 0:
            return "nothing was missing; no request was made"
        where = self.host if self.host == self.exchange else f"{self.exchange} at {self.host}"
        again = f", {self.retried:,} of them asked again" if self.retried else ""
        return (
            f"{self.new:,} candles from {where} in {self.elapsed_s:.1f} s: {self.requests:,} requests of weight "
            f"{self.weight:,}{again}"
        )


@dataclass
class FetchProgress:
    """For a progress bar: candles settled (fetched, or known not to exist) of those wanted."""

    wanted: int = 0
    done: int = 0
    began_s: float = 0.0
