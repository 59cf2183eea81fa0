"""The closing half of a good error: the valid words, the nearest first."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_NAMED = 20


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """``did you mean min_volume? valid: ...`` where a valid word is near, else ``valid: ...``; at most 20 are named."""
    import difflib

    words = list(dict.fromkeys(valid))
    lowered = {each.lower(): each for each in words}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    listed = ", ".join(words[:_MOST_NAMED]) + (
        f" and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    )
    return (f"did you mean {lowered[near[0]]}? " if near else "") + f"valid: {listed or 'none'}"
