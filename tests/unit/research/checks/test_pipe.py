"""Messages arrive whole, in order, however long; a silence and an end are told apart."""

import os
import threading

import pytest

from app.research.checks.pipe import Pipe


def ends() -> tuple[Pipe, Pipe]:
    first_in, second_out = os.pipe()
    second_in, first_out = os.pipe()
    return Pipe(first_in, first_out), Pipe(second_in, second_out)


@pytest.mark.parametrize("sizes", [(0,), (1, 0, 5), (70_000, 3), (1_000_000,)])
def test_messages_arrive_whole_and_in_order(sizes: tuple[int, ...]) -> None:
    ours, theirs = ends()
    sent = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    thread = threading.Thread(target=lambda: any(map(theirs.send, sent)))
    thread.start()
    assert [ours.receive(5.0) for _ in sent] == sent
    thread.join()
    ours.close()
    theirs.close()


def test_silence_and_the_end() -> None:
    ours, theirs = ends()
    with pytest.raises(TimeoutError, match=r"nothing came for 0.01 s"):
        ours.receive(0.01)
    theirs.send(b"last")
    theirs.close()
    assert ours.receive() == b"last"
    assert ours.receive() is None
    with pytest.raises(BrokenPipeError):
        ours.send(b"nobody")
    ours.close()


def test_a_message_that_was_cut_off_is_none() -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, (10).to_bytes(4, "little") + b"half")
    os.close(write_fd)
    assert Pipe(read_fd, -1).receive() is None
    os.close(read_fd)
