"""The Feed protocol: whatever can fill the session's queue, history and exchange alike.

A feed puts bursts, tuples of events in their order, into one bounded queue; a live feed puts bursts of one. The
order of events in the queue is the whole truth, where the burst boundaries lie changes nothing.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from app.models.events import Event

EventQueue = asyncio.Queue[Sequence[Event]]
QUEUE_BURSTS = 4  # bursts that may wait; the feed then waits for the consumer


class Feed(Protocol):
    """Slices in strictly rising close time; the session adds `EndOfData` when `run` returns."""

    async def run(self, queue: EventQueue) -> None:
        """Put bursts until there are no more; a fault of the world is raised as an OnetapeError."""
