"""Kinds of damage to REST: what answers say of candles, of the time and of the markets, and how they are sent.

While it lasts the stream leaves something out, so that the session has to ask: one symbol's closed candles are lost or
withheld, or nothing comes at all.
"""

import gzip
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.middle.frames import DAY_MS, MINUTE_MS, YEARS_MS, instead, shifted
from tests.faults.middle.kinds import Asked, Kind, OnAnswer
from tests.faults.middle.links import RETRY_AFTER, in_seconds
from tests.faults.middle.wire import Answer, refusal

_BAN_S = {418: 120.0}  # at least, where the exchange does not say how long
_STATUSES = (301, 400, 401, 403, 404, 409, 418, 429, 451, 500, 502, 503, 504)
Rows = list[list[Any]]


def _refuse(status: int, retry_after: str | None = None, body: bytes = b"{}") -> OnAnswer:
    return lambda _, __: refusal(status, retry_after, body)


def _body(body: bytes, **headers: str) -> OnAnswer:
    return lambda answer, _: answer.but(body=body, headers={**answer.headers, **headers})


def _sent(**how: Any) -> OnAnswer:
    return lambda answer, _: answer.but(**how)


def _sending() -> dict[str, OnAnswer]:
    """Ways to send an answer, of whatever content."""
    return {
        "a page": _body(b"<html>hello</html>", **{"Content-Type": "text/html"}),
        "an empty body": _body(b""),
        "null": _body(b"null"),
        "a bare text": _body(b'"ok"'),
        "cut JSON": lambda answer, _: answer.but(body=answer.body[: len(answer.body) // 2]),
        "deep lists": _body(b"[" * 20_000 + b"]" * 20_000),
        "no text": _body(bytes(range(128, 256))),
        "an error of status 200": _body(b'{"code":-1003,"msg":"Too many requests"}'),
        "cut": lambda answer, _: answer.but(cut=len(answer.body) // 2),
        "cut before the body": _sent(cut=0),
        "reset": _sent(reset=True),
        "shorter than it says": lambda answer, _: answer.but(length=len(answer.body) + 100, cut=len(answer.body)),
        "longer than it says": lambda answer, _: answer.but(length=max(0, len(answer.body) - 5)),
        "half a gzip": lambda answer, _: answer.but(
            body=gzip.compress(answer.body)[:-12], headers={"Content-Encoding": "gzip"}
        ),
        "no gzip": lambda answer, _: answer.but(headers={"Content-Encoding": "gzip"}),
        "no HTTP": _sent(raw=b"\x00\x01\x02\r\n\r\n"),
        "a broken chunk": _sent(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n"),
        "a redirect to itself": lambda _, asked: Answer(302, b"", {"Location": f"/api/v3/{asked.path}"}),
        "slow, 15 s": _sent(delay_s=15.0),
    }


def _statuses() -> Iterator[Kind]:
    """Every request is refused: for candles while one symbol's are lost, for the time while nothing comes."""
    for status in _STATUSES:
        ban_s = _BAN_S.get(status, 0.0)
        yield Kind(f"REST: {status}, candles lost", answer=_refuse(status), stream="lose", ban_s=ban_s,
                   quick=status == 503)  # fmt: skip
        yield Kind(f"REST: {status} in silence", answer=_refuse(status), stream="silence", ban_s=ban_s)
    for name, (text, wait_s) in RETRY_AFTER.items():
        for status in (418, 429):
            # What is withheld comes afterwards: a session that obeys a long wait has no other way to it.
            what = f"REST: {status}, Retry-After {name}"
            answer = _refuse(status, text)
            yield Kind(what, answer=answer, stream="withhold", wait_s=wait_s)
    yield Kind("REST: 418 for an hour, in silence", answer=_refuse(418, "3600"), stream="withhold all", wait_s=3_600.0,
               minutes=1.2, quick=True)  # fmt: skip
    yield Kind("REST: 429, Retry-After a date", answer=lambda _, __: refusal(429, in_seconds(3.0)), stream="withhold")
    yield Kind(
        "REST: 429, Retry-After a date in 50 years", answer=lambda _, __: refusal(429, in_seconds(1.5e9)),
        stream="withhold",
    )  # fmt: skip
    yield Kind("REST: 503 with a page", answer=_refuse(503, None, b"<html>busy</html>"), stream="lose")
    yield Kind("REST: 400 for a symbol", answer=_refuse(400, None, b'{"code":-1121,"msg":"Invalid symbol."}'),
               stream="lose")  # fmt: skip


def _ways() -> Iterator[Kind]:
    for name, answer in _sending().items():
        yield Kind(f"klines: {name}", answer=answer, paths=("klines",), stream="lose", quick=name == "reset")
        yield Kind(f"time: {name}", answer=answer, paths=("time",), stream="silence")


def _rows(change: Callable[[Rows], object]) -> OnAnswer:
    """Klines with other rows."""

    def changed(answer: Answer, _: Asked) -> Answer:
        rows = answer.json
        if not rows:
            return answer
        made = change(rows)
        return answer.with_json(rows if made is None else made)

    return changed


def _each(change: Callable[[list[Any]], object]) -> OnAnswer:
    def all_of(rows: Rows) -> None:
        for row in rows:
            change(row)

    return _rows(all_of)


def _moved(ms: int) -> OnAnswer:
    def move(row: list[Any]) -> None:
        row[0], row[6] = row[0] + ms, row[6] + ms

    return _each(move)


def _set(column: int, value: object) -> OnAnswer:
    def put(row: list[Any]) -> None:
        row[column] = value

    return _each(put)


def _all_closed(row: list[Any]) -> None:
    row[6] = row[0] - 1


def _more_volume(row: list[Any]) -> None:
    row[5] = str(float(row[5]) + 1.0)


def _low_above_high(row: list[Any]) -> None:
    row[2], row[3] = row[3], str(float(row[2]) + 1.0)


def _scaled_time(times: float) -> OnAnswer:
    def scale(row: list[Any]) -> None:
        row[0] = int(row[0] * times)

    return _each(scale)


def _ahead(rows: Rows) -> Rows:
    """One row more, of the next minute."""
    return [*rows, [rows[-1][0] + MINUTE_MS, *rows[-1][1:]]]


def _candles() -> Iterator[Kind]:
    """What klines may say while one symbol's closed frames are lost."""
    honest: dict[str, OnAnswer] = {
        "an empty list": _body(b"[]"), "an object": _body(b"{}"), "rows of nothing": _rows(lambda rows: [[]] * 3),
        "rows of null": _rows(lambda rows: [None] * len(rows)), "rows of words": _rows(lambda _: ["a", "b"]),
        "rows as objects": _rows(lambda rows: [{"t": row[0]} for row in rows]),
        "rows backwards": _rows(lambda rows: rows[::-1]), "rows shuffled": _rows(lambda rows: rows[1::2] + rows[::2]),
        "rows twice": _rows(lambda rows: [row for row in rows for _ in range(2)]),
        "rows of four columns": _rows(lambda rows: [row[:4] for row in rows]),
        "every other row": _rows(lambda rows: rows[::2]), "the first half": _rows(lambda rows: rows[: len(rows) // 2]),
        "the oldest row alone": _rows(lambda rows: rows[:1]), "without the last": _rows(lambda rows: rows[:-1]),
        "rows a day ahead": _moved(DAY_MS), "rows 50 years ahead": _moved(YEARS_MS), "rows a day behind":
        _moved(-DAY_MS), "rows off the minute": _moved(12_345), "times in seconds": _scaled_time(1e-3),
        "times in microseconds": _scaled_time(1e3), "times null": _set(0, None), "times in words": _set(0, "now"),
        "a price null": _set(1, None), "a price in words": _set(4, "abc"), "a price 'NaN'": _set(4, "NaN"),
        "a price '1e999'": _set(2, "1e999"), "a negative price": _set(3, "-1.0"), "a price 0": _set(3, "0"),
        "a price in a list": _set(1, ["1.0"]), "a negative volume": _set(5, "-1.0"), "high below low":
        _each(_low_above_high), "a candle ahead": _rows(_ahead), "called closed": _each(_all_closed),
        "the numbers as NaN": lambda answer, _: answer.but(body=answer.body.replace(b'"0"', b"NaN")),
        "1,500 rows too many": _rows(lambda rows: [[rows[0][0] - n * MINUTE_MS, *rows[0][1:]] for n in
                                                   range(1_500, 0, -1)] + rows),
        "20 MB": lambda answer, _: answer.but(body=answer.body[:-1] + b" " * 20_000_000 + b"]"),
    }  # fmt: skip
    for name, answer in honest.items():
        yield Kind(f"klines: {name}", answer=answer, paths=("klines",), stream="lose",
                   count=6 if name == "20 MB" else 10**9, lies=name == "1,500 rows too many")  # fmt: skip
    lies: dict[str, OnAnswer] = {
        "more volume": _each(_more_volume),
        "moved by a minute": _moved(MINUTE_MS),
        "the last row as the first": _rows(lambda rows: [[row[0], *rows[-1][1:]] for row in rows]),
    }
    for name, answer in lies.items():
        yield Kind(f"klines: {name}", answer=answer, paths=("klines",), stream="lose", lies=True)


def _times() -> Iterator[Kind]:
    """What the server may say of its time while nothing else tells it."""
    values: dict[str, bytes] = {
        "0": b'{"serverTime":0}', "-1": b'{"serverTime":-1}', "null": b'{"serverTime":null}', "in words":
        b'{"serverTime":"now"}', "a list": b'{"serverTime":[1]}', "1e999": b'{"serverTime":1e999}', "NaN":
        b'{"serverTime":NaN}', "missing": b"{}", "of 400 digits": b'{"serverTime":' + b"9" * 400 + b"}",
    }  # fmt: skip
    for name, body in values.items():
        yield Kind(f"server time {name}", answer=_body(body), paths=("time",), stream="silence")
    moves: dict[str, Callable[[int], int]] = {
        "a day ahead": lambda ms: ms + DAY_MS, "50 years ahead": lambda ms: ms + YEARS_MS, "a day behind":
        lambda ms: ms - DAY_MS, "50 years behind": lambda ms: ms - YEARS_MS, "in seconds": lambda ms: ms // 1000,
        "in microseconds": lambda ms: ms * 1000, "an hour ahead": lambda ms: ms + 60 * MINUTE_MS,
    }  # fmt: skip
    for name, move in moves.items():
        yield Kind(f"server time {name}", answer=_moved_time(move), paths=("time",), stream="silence")
        yield Kind(
            f"server time at the start {name}", answer=_moved_time(move), paths=("time",), at_start=True, count=1
        )


def _alike() -> Iterator[Kind]:
    """Frames and the server's time lie alike: only candles of REST tell the truth."""
    for name, ms in (("an hour", 60 * MINUTE_MS), ("a day", DAY_MS), ("5 minutes", 5 * MINUTE_MS)):
        for where, by_ms in (("ahead", ms), ("behind", -ms)):
            yield Kind(f"frames and server time {name} {where}", instead(shifted(by_ms)), paths=("time",),
                       answer=_moved_time(lambda true_ms, by_ms=by_ms: true_ms + by_ms),  # type: ignore[misc]
                       quick=by_ms == 60 * MINUTE_MS)  # fmt: skip


def _moved_time(move: Callable[[int], int]) -> OnAnswer:
    return lambda answer, _: answer.with_json({"serverTime": move(answer.json["serverTime"])})


def _markets(change: Callable[[Any], object]) -> OnAnswer:
    def changed(answer: Answer, _: Asked) -> Answer:
        info = answer.json
        change(info)
        return answer.with_json(info)

    return changed


def _first_filters(info: Any, name: str, **values: object) -> None:
    for one in info["symbols"][0]["filters"]:
        if one["filterType"] == name:
            one.update(values)


def _starts() -> Iterator[Kind]:
    """The first answers of a session: it waits, or says in one line why it does not begin."""
    sending = _sending()
    for status in (403, 404, 418, 429, 451, 503):
        yield Kind(f"at the start: {status}", answer=_refuse(status), at_start=True, count=2,
                   ban_s=_BAN_S.get(status, 0.0), quick=status == 451)  # fmt: skip
    for name, (text, _) in RETRY_AFTER.items():
        yield Kind(f"at the start: 429, Retry-After {name}", answer=_refuse(429, text), at_start=True, count=1)
    for name in ("a page", "null", "cut", "reset", "half a gzip", "deep lists", "slow, 15 s"):
        yield Kind(f"at the start: {name}", answer=sending[name], at_start=True, count=2)
        yield Kind(f"warm-up: {name}", answer=sending[name], paths=("klines",), at_start=True, count=2)
    changes: dict[str, Callable[[Any], object]] = {
        "no symbol": lambda info: info.update(symbols=[]),
        "symbols null": lambda info: info.update(symbols=None),
        "one symbol alone": lambda info: info.update(symbols=info["symbols"][:1]),
        "a symbol on a break": lambda info: info["symbols"][0].update(status="BREAK"),
        "a tick of 0": lambda info: _first_filters(info, "PRICE_FILTER", tickSize="0"),
        "a negative tick": lambda info: _first_filters(info, "PRICE_FILTER", tickSize="-0.01"),
        "a tick in words": lambda info: _first_filters(info, "PRICE_FILTER", tickSize="small"),
        "a step 'NaN'": lambda info: _first_filters(info, "LOT_SIZE", stepSize="NaN"),
        "no filter": lambda info: info["symbols"][0].update(filters=[]),
        "filters null": lambda info: info["symbols"][0].update(filters=None),
        "a symbol of words": lambda info: info.update(symbols=["BTCUSDT"]),
        "limits null": lambda info: info.update(rateLimits=None),
        "a limit of 0": lambda info: info.update(
            rateLimits=[{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 0}]
        ),
    }
    for name, change in changes.items():
        yield Kind(f"markets: {name}", answer=_markets(change), paths=("exchangeInfo",), at_start=True, count=1,
                   lies=True)  # fmt: skip


def answer_kinds() -> Iterator[Kind]:
    """All of this file."""
    yield from _statuses()
    yield from _ways()
    yield from _candles()
    yield from _times()
    yield from _alike()
    yield from _starts()
