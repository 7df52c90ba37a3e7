"""Delivery by the real Apprise to a real receiver: once, in order, through failures, slowness and absence."""

import threading
from pathlib import Path

import pytest

from app.web.alert_sender import AlertQueue, AlertSender, apprise_sends
from app.web.alerts import Alert
from tests.receivers import Receiver, receiving


def alert(number: int) -> Alert:
    return Alert(number, "feed", f"alert {number}")


def lines(*numbers: int) -> list[str]:
    return [f"alert {number}" for number in numbers]


def add(queue: AlertQueue, *numbers: int) -> None:
    queue.add(lambda: [alert(number) for number in numbers])


def sending(receiver: Receiver, folder: Path, told: list[str] | None = None) -> tuple[AlertQueue, AlertSender]:
    queue = AlertQueue(folder / "alerts.json", "Onetape run")
    sender = AlertSender(apprise_sends([receiver.url]), (told if told is not None else []).append, first_s=0.01)
    sender.follow(queue)
    return queue, sender


def test_each_comes_once_in_order_through_failures(tmp_path: Path) -> None:
    told: list[str] = []
    with receiving() as receiver:
        receiver.fails = 3
        queue, sender = sending(receiver, tmp_path, told)
        for number in range(1, 4):
            add(queue, number)
            sender.wake()
        assert receiver.wait_for(3) == lines(1, 2, 3)
        sender.close(300)
        assert receiver.lines == lines(1, 2, 3)
    assert (queue.file.sent, queue.file.failed, queue.file.waiting) == (3, 0, [])
    assert told[0] == "address 1 did not take an alert; it is tried again"
    assert told[1].startswith("address 1 takes alerts again, after ")
    assert "topsecret" not in "".join(told)


def test_a_slow_receiver_holds_nobody_up_and_what_waited_comes_together(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.hold.clear()
        queue, sender = sending(receiver, tmp_path)
        add(queue, 1)
        sender.wake()
        receiver.wait_until_asked(1)
        for number in range(2, 30):
            add(queue, number)  # returns at once: the one under way is not waited for
        receiver.hold.set()
        receiver.wait_for(29)
        sender.close(300)
        assert [line for line in receiver.lines if not line.startswith("and ")] == lines(*range(1, 30))
        assert len(receiver.got) <= 4, "what had waited came together"


def test_one_that_is_away_gets_them_when_it_is_back_after_a_restart_of_the_sender(tmp_path: Path) -> None:
    with receiving() as receiver:
        port = receiver.port
    queue, sender = sending(receiver, tmp_path)
    add(queue, 1, 2)
    sender.wake()
    sender.close(300)  # tries what waits, in vain
    assert [one.number for one in AlertQueue(queue.path, "").file.waiting] == [1, 2]
    with receiving(port) as back:
        queue, sender = sending(back, tmp_path)
        add(queue, 3)
        assert back.wait_for(3) == lines(1, 2, 3)
        sender.close(300)
        assert back.lines == lines(1, 2, 3)


def test_too_many_and_too_often_are_counted(tmp_path: Path) -> None:
    queue = AlertQueue(tmp_path / "alerts.json", "")
    queue.serve(1)
    add(queue, *range(1, 1_006))
    assert (queue.file.failed, len(queue.file.waiting), queue.file.waiting[0].number) == (5, 1_000, 6)
    queue.done(0, 25, sent=False)
    assert (queue.file.failed, len(queue.file.waiting)) == (25, 980)


def test_what_comes_while_too_much_waits_is_neither_lost_nor_counted_as_sent(tmp_path: Path) -> None:
    queue, got = AlertQueue(tmp_path / "alerts.json", ""), list[str]()
    queue.serve(1)
    add(queue, *range(1, 1_001))

    def send(title: str, body: str) -> bool:
        if not got:
            add(queue, *range(1_001, 1_011))  # the oldest ten, which are under way, make room
        got.extend(body.splitlines()[:20])
        return True

    while queue.send(0, send):
        pass
    assert got == lines(*range(1, 1_011))


def test_an_address_that_is_away_holds_up_no_other_and_makes_it_hear_nothing_twice(tmp_path: Path) -> None:
    told: list[str] = []
    tried = threading.Semaphore(0)

    def away(title: str, body: str) -> bool:
        tried.release()
        return False

    with receiving() as receiver:
        queue = AlertQueue(tmp_path / "alerts.json", "Onetape run")
        sender = AlertSender([away, *apprise_sends([receiver.url])], told.append, first_s=0.01)
        sender.follow(queue)
        for number in range(1, 4):
            add(queue, number)
            sender.wake()
            receiver.wait_for(number)
        assert all(tried.acquire(timeout=300) for _ in range(6))
        sender.close(300)
        assert receiver.lines == lines(1, 2, 3)
    assert told == ["address 1 did not take an alert; it is tried again"]
    assert [one.number for one in AlertQueue(queue.path, "").file.waiting] == [1, 2, 3], "for the one that is away"
    queue.serve(3)
    assert len(queue.file.waiting) == 3
    queue.file.upto = queue.file.upto[1:2]
    queue.serve(1)
    assert queue.file.waiting == [], "an address that is no longer wanted leaves nothing behind"


def test_a_service_is_waited_for_long_enough(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.hold.clear()
        queue, sender = sending(receiver, tmp_path)
        add(queue, 1)
        sender.wake()
        receiver.wait_until_asked(1)
        threading.Timer(5.0, receiver.hold.set).start()  # Apprise itself gives up after 4 s
        receiver.wait_for(1)
        sender.close(300)
        assert (receiver.asked, receiver.lines, queue.file.sent) == (1, lines(1), 1)


def test_after_many_failures_what_came_later_has_tries_of_its_own(tmp_path: Path) -> None:
    tries: dict[str, int] = {}
    half, enough = threading.Event(), threading.Event()

    def send(title: str, body: str) -> bool:
        for line in body.splitlines():
            tries[line] = tries.get(line, 0) + 1
        if tries["alert 1"] == 50 and not half.is_set():
            add(queue, 2)
            half.set()
        if tries.get("alert 2", 0) > 60:
            enough.set()
            return True
        return False

    queue = AlertQueue(tmp_path / "alerts.json", "")
    sender = AlertSender([send], lambda _: None, first_s=1e-30)
    sender.follow(queue)
    add(queue, 1)
    sender.wake()
    assert enough.wait(300)
    sender.close(300)
    assert (tries, queue.file.failed, queue.file.sent) == ({"alert 1": 100, "alert 2": 61}, 1, 1)


def test_a_service_that_raises_ends_nothing(tmp_path: Path) -> None:
    calls: list[str] = []
    again = threading.Event()

    def send(title: str, body: str) -> bool:
        calls.append(body)
        if len(calls) == 1:
            raise RuntimeError("json://topsecret")
        again.set()
        return True

    queue, sender = AlertQueue(tmp_path / "alerts.json", ""), AlertSender([send], lambda _: None, first_s=0.01)
    sender.follow(queue)
    add(queue, 1)
    sender.wake()
    assert again.wait(300)
    sender.close(300)
    assert queue.file.sent == 1
    assert calls == ["alert 1", "alert 1"]


def test_a_file_that_cannot_be_read_or_written_loses_no_session(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text("{")
    assert AlertQueue(path, "").file.memory.last == 0
    queue = AlertQueue(tmp_path / "nowhere" / "alerts.json", "")
    add(queue, 1)
    assert len(queue.file.waiting) == 1, "it is told all the same"


def test_an_address_that_is_none_is_named_by_its_number_alone() -> None:
    with pytest.raises(ValueError, match="address 2 of 2 is none that Apprise knows"):
        apprise_sends(["json://127.0.0.1/", "topsecret"])
