"""What can go wrong with an answer: each injector takes the one that is right and gives the one that is sent.

Standard library only. The bodies are JSON of Alpaca or Polygon: a list, or an object with its rows under one name.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Wire = Literal["whole", "hang", "drip", "reset", "cut", "cut_chunk", "close"]
ROWS = ("results", "bars", "news", "data")  # the names under which an answer keeps its rows
FEW = 8  # rows of an answer about single symbols
TOKENS = ("page_token", "cursor")
ALIAS = "~"  # at the end of a page's token: the same page, spelled differently


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as the server saw it; ``ask`` answers another one as the vendor would."""

    path: str
    query: Mapping[str, str]
    nth: int  # of those that the fault is about, from 1
    elsewhere: str  # scheme and host of another server
    ask: Callable[[Mapping[str, str]], Reply]

    @property
    def token(self) -> str:
        """The page that is asked for; empty: the first."""
        return self.query.get("page_token") or self.query.get("cursor") or ""

    def page(self, token: str) -> Reply:
        """Another page of the same list."""
        name = "page_token" if self.path.startswith("/v2/stocks") else "cursor"
        return self.ask({**{k: v for k, v in self.query.items() if k not in TOKENS}, name: token})


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the server sends, and how."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = "whole"

    def having(self, **headers: str) -> Reply:
        return replace(self, headers={**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


Injector = Callable[[Asked, Reply], Reply]


def wire(how: Wire) -> Injector:
    """The right answer, badly carried."""
    return lambda asked, reply: replace(reply, wire=how)


def status(code: int, *, says: str = "injected", **headers: str) -> Injector:
    """An error, with the vendor's kind of body."""
    body = json.dumps({"code": code, "message": says, "error": says, "status": "ERROR"}).encode()
    return lambda asked, reply: replace(reply, status=code, body=body).having(**headers)


def body(content: bytes, kind: str = "application/json") -> Injector:
    """Status 200 and a body that is not what was asked for."""
    return lambda asked, reply: replace(reply, body=content).having(content_type=kind)


def headers(**told: str) -> Injector:
    """The right answer with other headers."""
    return lambda asked, reply: reply.having(**told)


def redirect(asked: Asked, reply: Reply) -> Reply:
    """To another host, which answers as the vendor would, from a market of its own."""
    query = "&".join(f"{name}={value}" for name, value in asked.query.items())
    return replace(reply, status=302, body=b"").having(location=f"{asked.elsewhere}{asked.path}?{query}")


def bad_json(asked: Asked, reply: Reply) -> Reply:
    """A body with a sign in it that no JSON has there."""
    return replace(reply, body=reply.body.replace(b'":', b'"=', 1))


def shortened(fraction: float) -> Injector:
    """A body that ends early, with the length that it has."""
    return lambda asked, reply: replace(reply, body=reply.body[: int(len(reply.body) * fraction)])


def bomb(megabytes: int) -> Injector:
    """A few kilobytes of gzip that grow to so many megabytes: an empty list with blanks in it."""

    def mar(asked: Asked, reply: Reply) -> Reply:
        blanks = b" " * (1 << 20)
        member = gzip.compress(blanks, 9)
        whole = gzip.compress(b"[", 9) + member * megabytes + gzip.compress(b"]", 9)
        return replace(reply, body=whole).having(content_encoding="gzip")

    return mar


def no_gzip(asked: Asked, reply: Reply) -> Reply:
    """Plain bytes that are called gzip."""
    return reply.having(content_encoding="gzip")


def cut_gzip(asked: Asked, reply: Reply) -> Reply:
    """The first half of a compressed body."""
    packed = gzip.compress(reply.body)
    return replace(reply, body=packed[: len(packed) // 2]).having(content_encoding="gzip")


def content(change: Callable[[Any], Any]) -> Injector:
    """The JSON of the body, changed."""
    return lambda asked, reply: replace(reply, body=json.dumps(change(json.loads(reply.body))).encode())


def rows_of(found: Any) -> list[dict[str, Any]]:
    """Every row of an answer, to be changed in place; Alpaca's bars are lists by symbol."""
    if isinstance(found, list):
        return found
    rows = next((found[name] for name in ROWS if name in found), [])
    return [row for each in rows.values() for row in each] if isinstance(rows, dict) else rows


def cut_list(fraction: float) -> Injector:
    """The list without its end, everything around it as if that were all."""

    def change(found: Any) -> Any:
        if isinstance(found, list):
            return found[: int(len(found) * fraction)]
        name = next(name for name in ROWS if name in found)
        rows = found[name]
        kept = int(len(rows) * fraction)
        found[name] = dict(list(rows.items())[:kept]) if isinstance(rows, dict) else rows[:kept]
        for told in ("count", "resultsCount", "queryCount"):
            if told in found:
                found[told] = kept
        return found

    return content(change)


def uncounted_cut(found: Any) -> Any:
    """A list without its end; where the answer tells a count it is that of the whole list."""
    if isinstance(found, list):
        return found[: len(found) // 2]
    name = next(name for name in ROWS if name in found)
    rows = found[name]
    found[name] = dict(list(rows.items())[: len(rows) // 2]) if isinstance(rows, dict) else rows[: len(rows) // 2]
    return found


def every_row(at: int, change: Callable[[dict[str, Any]], None]) -> Injector:
    """Row number ``at`` changed, in answers that have so many: a question about few symbols is answered well."""

    def mar(found: Any) -> Any:
        if len(rows := rows_of(found)) > max(at, FEW):
            change(rows[at])
        return found

    return content(mar)


def put(at: int, names: tuple[str, ...], value: Any) -> Injector:
    """A value in those of the fields ``names`` that row number ``at`` has."""

    def change(row: dict[str, Any]) -> None:
        for name in names:
            if name in row:
                row[name] = value

    return every_row(at, change)


def literal(pattern: bytes, text: bytes) -> Injector:
    """The first of many matches of ``pattern`` in the body replaced: for what no JSON writer would write."""

    def mar(asked: Asked, reply: Reply) -> Reply:
        few = len(re.findall(pattern, reply.body)) <= FEW
        return reply if few else replace(reply, body=re.sub(pattern, text, reply.body, count=1))

    return mar


def unknown_fields(found: Any) -> Any:
    """A field more in every row and around them."""
    for row in rows_of(found):
        row["halo"] = {"new": [1, 2, 3]}
    if isinstance(found, dict):
        found["halo"] = "new"
    return found


def renamed(found: Any) -> Any:
    """The rows of one symbol under the name of another that nobody asked for, in answers that have many."""
    if len(rows_of(found)) <= FEW:
        return found
    if isinstance(found, dict) and isinstance(found.get("bars"), dict):
        bars = found["bars"]
        old = list(bars)[len(bars) // 2]
        found["bars"] = {("ZZZZ" if name == old else name): rows for name, rows in bars.items()}
        return found
    rows = rows_of(found)
    row = rows[len(rows) // 2]
    for name in ("symbol", "ticker", "T"):
        if name in row:
            row[name] = "ZZZZ"
    return found


def doubled(found: Any) -> Any:
    """Every row of a list twice; where it tells a count it is the right one for that."""
    if isinstance(found, list):
        return found + found
    name = next(name for name in ROWS if name in found)
    rows = found[name]
    found[name] = {key: each + each for key, each in rows.items()} if isinstance(rows, dict) else rows + rows
    for told in ("count", "resultsCount", "queryCount"):
        if told in found:
            found[told] = 2 * found[told]
    return found


def of_years_ago(found: Any) -> Any:
    """The bars of today with stamps of years ago."""
    for row in rows_of(found):
        stamp = row.get("t")
        if isinstance(stamp, str):
            row["t"] = "2019" + stamp[4:]
        elif isinstance(stamp, int):
            row["t"] = stamp - 86_400_000 * 2_555
    return found


def of_next_year(found: Any) -> Any:
    """The bars of today with stamps that lie ahead."""
    for row in rows_of(found):
        stamp = row.get("t")
        if isinstance(stamp, str):
            row["t"] = f"{int(stamp[:4]) + 1}{stamp[4:]}"
        elif isinstance(stamp, int):
            row["t"] = stamp + 86_400_000 * 364
    return found


def onward(found: Any) -> str | None:
    """The token of the next page."""
    if "next_page_token" in found:
        told = found["next_page_token"]
    else:
        told = found.get("next_url", "").partition("cursor=")[2].partition("&")[0]
    return told or None


def led_to(found: Any, token: str | None) -> Any:
    """The answer with another way on."""
    if "next_page_token" in found:
        found["next_page_token"] = token
    elif token is None:
        found.pop("next_url", None)
    else:
        found["next_url"] = re.sub(r"cursor=[^&]*", lambda _: f"cursor={token}", found["next_url"])
    return found


def same_token(asked: Asked, reply: Reply) -> Reply:
    """A page that names itself, or the first page's own way on, as the next one: a list without an end."""
    found = json.loads(reply.body)
    return replace(reply, body=json.dumps(led_to(found, asked.token or onward(found))).encode())


def lost_page(asked: Asked, reply: Reply) -> Reply:
    """The page after the one that was asked for."""
    following = onward(json.loads(reply.body))
    return reply if following is None else asked.page(following)


def page_again(asked: Asked, reply: Reply) -> Reply:
    """The first page a second time, before the list goes on with the page that was asked for."""
    if not asked.token or asked.token.endswith(ALIAS):
        return reply
    first = {k: v for k, v in asked.query.items() if k not in TOKENS}
    found = json.loads(asked.ask(first).body)
    return replace(reply, body=json.dumps(led_to(found, asked.token + ALIAS)).encode())


def ends_early(asked: Asked, reply: Reply) -> Reply:
    """The list ends with its first page, as far as one can see."""
    return replace(reply, body=json.dumps(led_to(json.loads(reply.body), None)).encode())


def foreign_next(asked: Asked, reply: Reply) -> Reply:
    """The next page is said to be at another host."""
    found = json.loads(reply.body)
    if "next_url" in found:
        path = found["next_url"].partition("://")[2].partition("/")[2]
        found["next_url"] = f"{asked.elsewhere}/{path}"
    return replace(reply, body=json.dumps(found).encode())
