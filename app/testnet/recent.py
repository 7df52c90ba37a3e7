"""What was made last, kept so that it need not be made again, and no more of it than was asked for.

The rule: memory is bounded by the sizes of the values; the one that was not used for longest goes first, the last one
made stays. It knows nothing of what it keeps.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The last values by key, of `size_max` together; `size` of a value, 1 by default, does not change."""

    def __init__(self, size_max: int, size: Callable[[Value], int] = lambda _: 1) -> None:
        self._size_max, self._size = size_max, size
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._kept_size = 0

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of `key`, made now if it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        value = make()
        # Making one value may have made others: what it is made of.
        self._kept[key] = value
        self._kept_size += self._size(value)
        while self._kept_size > self._size_max and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._kept_size -= self._size(gone)
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._kept_size = 0

    def __len__(self) -> int:
        return len(self._kept)
