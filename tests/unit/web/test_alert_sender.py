"""Delivery by the real Apprise to a real receiver: once, in order, through failures, slowness and absence."""

import threading
from pathlib import Path

import pytest

from app.web.alert_sender import AlertQueue, AlertSender, apprise_send
from app.web.alerts import Alert
from tests.receivers import Receiver, receiving


def alert(number: int) -> Alert:
    return Alert(number, "feed", f"alert {number}")


def lines(*numbers: int) -> list[str]:
    return [f"alert {number}" for number in numbers]


def sending(receiver: Receiver, folder: Path, told: list[str] | None = None) -> tuple[AlertQueue, AlertSender]:
    queue = AlertQueue(folder / "alerts.json", "Onetape run")
    sender = AlertSender(apprise_send([receiver.url]), (told if told is not None else []).append, first_s=0.01)
    sender.follow(queue)
    return queue, sender


def test_each_comes_once_in_order_through_failures(tmp_path: Path) -> None:
    told: list[str] = []
    with receiving() as receiver:
        receiver.fails = 3
        queue, sender = sending(receiver, tmp_path, told)
        for number in range(1, 4):
            queue.add([alert(number)])
            sender.wake()
        assert receiver.wait_for(3) == lines(1, 2, 3)
        sender.close(300)
        assert receiver.lines == lines(1, 2, 3)
    assert (queue.file.sent, queue.file.failed, queue.file.waiting) == (3, 0, [])
    assert told[0] == "an alert was not delivered; it is tried again"
    assert told[1].startswith("alerts are delivered again, after ")
    assert "topsecret" not in "".join(told)


def test_a_slow_receiver_holds_nobody_up_and_what_waited_comes_together(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.hold.clear()
        queue, sender = sending(receiver, tmp_path)
        queue.add([alert(1)])
        sender.wake()
        receiver.wait_until_asked(1)
        for number in range(2, 30):
            queue.add([alert(number)])  # returns at once: the one under way is not waited for
        receiver.hold.set()
        receiver.wait_for(29)
        sender.close(300)
        assert [line for line in receiver.lines if not line.startswith("and ")] == lines(*range(1, 30))
        assert len(receiver.got) <= 4, "what had waited came together"


def test_one_that_is_away_gets_them_when_it_is_back_after_a_restart_of_the_sender(tmp_path: Path) -> None:
    with receiving() as receiver:
        port = receiver.port
    queue, sender = sending(receiver, tmp_path)
    queue.add([alert(1), alert(2)])
    sender.wake()
    sender.close(300)  # tries what waits, in vain
    assert [one.number for one in AlertQueue(queue.path, "").file.waiting] == [1, 2]
    with receiving(port) as back:
        queue, sender = sending(back, tmp_path)
        queue.add([alert(3)])
        assert back.wait_for(3) == lines(1, 2, 3)
        sender.close(300)
        assert back.lines == lines(1, 2, 3)


def test_too_many_and_too_often_are_counted(tmp_path: Path) -> None:
    queue = AlertQueue(tmp_path / "alerts.json", "")
    queue.add([alert(number) for number in range(1_005)])
    assert (queue.file.failed, len(queue.file.waiting), queue.file.waiting[0].number) == (5, 1_000, 5)
    queue.give_up()
    assert (queue.file.failed, len(queue.file.waiting)) == (25, 980)


def test_a_service_that_raises_ends_nothing(tmp_path: Path) -> None:
    calls: list[str] = []
    again = threading.Event()

    def send(title: str, body: str) -> bool:
        calls.append(body)
        if len(calls) == 1:
            raise RuntimeError("json://topsecret")
        again.set()
        return True

    queue, sender = AlertQueue(tmp_path / "alerts.json", ""), AlertSender(send, lambda _: None, first_s=0.01)
    sender.follow(queue)
    queue.add([alert(1)])
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
    queue.add([alert(1)])
    assert "cannot be written" in queue.fault


def test_an_address_that_is_none_is_named_by_its_number_alone() -> None:
    with pytest.raises(ValueError, match="address 2 of 2 is none that Apprise knows"):
        apprise_send(["json://127.0.0.1/", "topsecret"])
