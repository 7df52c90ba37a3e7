"""The signal funnel: what became of every signal, counted with its reason.

signals -> ignored -> refused by risk -> refused by the gate -> orders -> cancelled or unfilled -> fills. Each
count has one owner, the stage that decided; nothing is counted twice and the stages add up.
"""

from collections import Counter

from app.models.orders import Action, Bound, Refusal

Counts = dict[str, int]


class Funnel:
    """Counters of one run; those of the broker's ledger are its own."""

    def __init__(self, cancelled: Counter[str], dropped: Counter[str]) -> None:
        self.signals: Counter[Action] = Counter()
        self.ignored: Counter[Refusal] = Counter()
        self.refused_by_risk: Counter[Refusal] = Counter()
        self.refused_by_gate: Counter[Refusal] = Counter()
        self.sized_by: Counter[Bound] = Counter()
        self.cancelled = cancelled
        self.dropped = dropped
        self.exits_ordered = 0

    @property
    def signals_generated(self) -> int:
        """Every LONG, SHORT and EXIT of the run, whatever followed."""
        return self.signals.total()

    @property
    def orders_submitted(self) -> int:
        """Entries that the gate accepted, also when they stayed unfilled."""
        return self.sized_by.total()

    def as_dict(self) -> dict[str, int | Counts]:
        """For results.json; reasons in the order of their definition, so that equal runs give equal bytes."""
        return {
            "signals": {action.value: self.signals[action] for action in Action if action is not Action.FLAT},
            "ignored": _named(self.ignored),
            "refused_by_risk": _named(self.refused_by_risk),
            "refused_by_gate": _named(self.refused_by_gate),
            "orders_submitted": self.orders_submitted,
            "sized_by": {bound.value: self.sized_by[bound] for bound in Bound},
            "exits_ordered": self.exits_ordered,
            "cancelled": {why: self.cancelled[why] for why in sorted(self.cancelled)},
            "unfilled_at_end": self.cancelled["session_end"],
            **({"legs_dropped": self.dropped["legs"]} if self.dropped["legs"] else {}),
        }


def _named(counter: Counter[Refusal]) -> Counts:
    return {refusal.value: counter[refusal] for refusal in Refusal if counter[refusal]}
