"""What was made last is kept, and no more than that."""

from app.testnet.recent import Recent


def test_what_was_not_used_for_longest_goes_first() -> None:
    made: list[str] = []
    recent: Recent[str, str] = Recent(2)

    def value(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return recent.get(key, make)

    assert [value(key) for key in "abacab"] == ["A", "B", "A", "C", "A", "B"]
    assert made == ["a", "b", "c", "b"]
    assert len(recent) == 2
    recent.clear()
    assert (len(recent), value("a")) == (0, "A")
    assert made[-1] == "a"


def test_sizes_count_and_the_last_one_stays() -> None:
    recent: Recent[str, str] = Recent(5, len)
    for text in ("aa", "bb", "c"):
        recent.get(text, lambda text=text: text)  # type: ignore[misc]
    assert len(recent) == 3
    recent.get("dd", lambda: "dd")
    assert len(recent) == 3
    recent.get("too long", lambda: "too long")
    assert len(recent) == 1
