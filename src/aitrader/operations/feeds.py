"""Whether the stored volumes are those that the thresholds are meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aitrader.domain.errors import RefusedError

if TYPE_CHECKING:
    from aitrader.funnel.engine import Rules
    from aitrader.store.store import Store

SESSIONS: Final = 20  # that a mean volume looks at
VOLUMES: Final = frozenset({"volume", "dollar_volume"})  # factors that count shares; a ratio of volumes does not
PARTIAL: Final = "iex"


def check_volumes(store: Store, rules: Rules, *, accept: bool) -> None:
    """Raise RefusedError where a criterion counts shares and the volumes of the last sessions are one exchange's."""
    if accept or PARTIAL not in store.feeds(SESSIONS):
        return
    names = [
        criterion.name
        for layer in rules.layers
        for criterion in layer.criteria
        if criterion.available and VOLUMES.intersection(criterion.definition.factors)
    ]
    if names:
        raise RefusedError(
            f"{' and '.join(names)} cannot be judged on feed {PARTIAL}",
            why=f"volumes of feed {PARTIAL} are 2-4 % of the market's; what was populated stays stored",
            do="set sources.alpaca.feed: sip and populate again with --force-refresh, or, to judge them all the same, "
            "sources.live.accept_iex_volume: true",
        )
