"""The keys of the sources: in the environment alone, and in no text that anybody reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

VARIABLES: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {  # what each source needs; of several names the first
    "alpaca": (("ALPACA_API_KEY", "APCA_API_KEY_ID"), ("ALPACA_SECRET_KEY", "APCA_API_SECRET_KEY")),
    "polygon": (("POLYGON_API_KEY", "MASSIVE_API_KEY"),),
    "sec": (("SEC_USER_AGENT",),),
    "nasdaq_trader": (),
}


class Keys(NamedTuple):
    """The credentials of each source that has all it needs; their text shows none."""

    values: Mapping[str, tuple[str, ...]]

    def __repr__(self) -> str:
        """Who has keys, not which."""
        return f"Keys({', '.join(self.values)})"

    def has(self, source: str) -> bool:
        """Whether a source can be asked."""
        return source in self.values

    @property
    def any_vendor(self) -> bool:
        """Whether there is a source of both listings and bars."""
        return self.has("alpaca") or self.has("polygon")


def keys_of(environ: Mapping[str, str]) -> Keys:
    """The keys that the environment has; a blank one is none."""
    found = {}
    for source, needed in VARIABLES.items():
        values = tuple(next((v for n in names if (v := environ.get(n, "").strip())), "") for names in needed)
        if all(values):
            found[source] = values
    return Keys(found)


def secrets_of(environ: Mapping[str, str]) -> Iterator[str]:
    """Every key of the environment, whether or not its source has all it needs."""
    for needed in VARIABLES.values():
        for names in needed:
            yield from (environ[name] for name in names if environ.get(name, "").strip())


def wanted(source: str) -> str:
    """The variables that a source needs, in words; empty where it needs none."""
    return " and ".join(" or ".join(names) for names in VARIABLES[source])


def missing(source: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that a source needs and that are not set, each by its first name."""
    return tuple(names[0] for names in VARIABLES[source] if not any(environ.get(name, "").strip() for name in names))
