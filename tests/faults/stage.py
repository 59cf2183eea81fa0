"""A fault set up: the marred vendor, the others beside it as they should be, another host that would answer too."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import certificates, world
from tests.faults.catalogue import PATHS, Row
from tests.faults.server import SHORT_PAGES, Fault, Vendor, serving

TLS = {"wrong_name": "wrong_name", "expired": "expired", "unknown": "good"}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where to ask, and who was asked what."""

    marred: str  # scheme and host of the vendor that the fault is about
    sound: str  # of the others
    authority: str  # the PEM file to trust; empty: the usual ones
    vendor: Vendor
    foreign: Vendor  # a host that nobody was told of: what arrives there was sent astray

    @property
    def astray(self) -> int:
        """How many requests another host got, and would have answered."""
        return len(self.foreign.seen)

    @property
    def keys_astray(self) -> frozenset[str]:
        """The headers with keys that another host got."""
        return frozenset(name for seen in self.foreign.seen for name in seen.credentials)


@contextmanager
def staged(row: Row, vendor: str, certified: Path) -> Iterator[Stage]:
    """The row's fault at ``vendor``; ``certified`` is the folder of the test's certificates."""
    foreign = Vendor(exchange=world.exchange(world.NEW, world.FOREIGN_SEED), open_door=True, limited=SHORT_PAGES)
    faults = []
    if row.how is not None:
        path = PATHS[vendor, row.what]
        faults.append(Fault(path=path, how=row.how, nth=row.nth, count=row.count, onward=row.onward))
    with ExitStack() as stack:
        elsewhere = stack.enter_context(serving(foreign))
        exchange = world.exchange(world.NEW)
        marred = Vendor(exchange=exchange, faults=faults, elsewhere=elsewhere, limited=SHORT_PAGES)
        sound = Vendor(exchange=exchange, extra=world.directory_files(world.UNTIL))
        tls = TLS.get(row.place)
        context = None if tls is None else certificates.context(certified, tls)
        url = stack.enter_context(serving(marred, tls=context))
        if row.place == "no_name":
            url = f"https://{vendor}.invalid"
        elif row.place == "no_server":
            url = f"http://127.0.0.1:{_closed_port()}"
        yield Stage(
            marred=url,
            sound=stack.enter_context(serving(sound)),
            authority=str(certified / "authority.pem") if row.place in ("wrong_name", "expired") else "",
            vendor=marred,
            foreign=foreign,
        )


def _closed_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
