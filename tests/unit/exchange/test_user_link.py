"""What a stream did not say counts only where it was up without a break."""

from app.exchange.user_link import UserLink


def test_a_break_is_seen_even_where_it_is_up_at_both_ends() -> None:
    link = UserLink()
    assert (link.is_up, link.why) == (False, "not dialled yet")
    link.note(True, "")
    before = link.breaks
    assert (link.is_up, link.why, link.breaks) == (True, "", before)
    link.note(False, "")
    assert (link.is_up, link.why) == (False, "gone")
    link.note(True, "")
    assert link.is_up
    assert link.breaks != before
