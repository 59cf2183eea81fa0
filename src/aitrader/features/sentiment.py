"""A first headline score: the source's own where it gives one, else a small finance lexicon with negation.

The lexicon is the project's own. Words are stems matched at word starts, so ``surg`` meets surge, surges, surging.
"""

from __future__ import annotations

import polars as pl

POSITIVE = (
    "accelerat",
    "accretive",
    "acquir",
    "approv",
    "award",
    "beat",
    "best$",
    "boost",
    "breakthrough",
    "bullish",
    "buyback",
    "climb",
    "expand",
    "exceed",
    "gain",
    "grow",
    "grew",
    "higher",
    "improv",
    "increas",
    "jump",
    "launch",
    "outperform",
    "partner",
    "profit",
    "rais",
    "rallie",
    "rally",
    "rebound",
    "record",
    "repurchas",
    "rise",
    "rising",
    "rose$",
    "soar",
    "strong",
    "surg",
    "surpass",
    "tops",
    "topped",
    "upbeat",
    "upgrad",
    "upside",
    "win$",
    "wins$",
    "won$",
)
NEGATIVE = (
    "bankrupt",
    "bearish",
    "below",
    "breach",
    "cut$",
    "cuts$",
    "decline",
    "declin",
    "decreas",
    "default",
    "delay",
    "delist",
    "disappoint",
    "downbeat",
    "downgrad",
    "downside",
    "drop",
    "fall$",
    "falls$",
    "falling",
    "fell$",
    "fined",
    "fines$",
    "fraud",
    "halt",
    "investigat",
    "lawsuit",
    "layoff",
    "lower",
    "loss",
    "lost",
    "miss$",
    "misse",
    "plung",
    "probe",
    "recall",
    "reject",
    "restat",
    "resign",
    "slash",
    "slid",
    "slip",
    "slump",
    "subpoena",
    "sued",
    "suspend",
    "tumbl",
    "underperform",
    "violat",
    "warn",
    "weak",
    "worst",
    "wider",
)
NEGATION = r"(?:not|no|never|without|fails? to|failed to|unable to|\w+n't)"
# Where less is good or more is bad, the direction word turns: "losses narrowed", "costs rise".
_BURDEN = r"(?:loss|losses|costs?|expenses|debt)"
TURNED = (
    (
        r"\b(?:loss|losses|costs?|expenses|debt)\b(?:\s+\w+){0,2}\s+(?:narrow|fall|fell|declin|decreas|drop|shrink|shrank|lower)\w*",
        1,
    ),
    (rf"\b(?:narrow|lower|reduc|cut|decreas)\w*\s+(?:\w+\s+){{0,1}}{_BURDEN}\b", 1),
    (
        r"\b(?:loss|losses|costs?|expenses|debt)\b(?:\s+\w+){0,2}\s+(?:widen|ris|rose|increas|grow|grew|surg|jump|higher)\w*",
        -1,
    ),
    (rf"\b(?:widen|higher|increas|bigger|larger)\w*\s+(?:\w+\s+){{0,1}}{_BURDEN}\b", -1),
)


def _stems(stems: tuple[str, ...]) -> str:
    """A pattern of stems at word starts; one that ends in ``$`` is a whole word."""
    longest = sorted(stems, key=len, reverse=True)
    words = (stem[:-1] if stem.endswith("$") else rf"{stem}\w*" for stem in longest)
    return r"\b(?:" + "|".join(words) + r")\b"


def scored(headlines: pl.DataFrame) -> pl.DataFrame:
    """``headlines`` with a column ``score`` -1..1: the source's sentiment where it gives one, else of the words.

    A headline that stands under many symbols is read once.
    """
    silent = headlines.filter(pl.col("sentiment").is_null() & pl.col("headline").is_not_null())
    read = silent.select("headline").unique().with_columns(worded().alias("worded"))
    given = pl.coalesce("sentiment", "worded").clip(-1.0, 1.0).alias("score")
    return headlines.join(read, on="headline", how="left", maintain_order="left").with_columns(given).drop("worded")


def worded(headline: str = "headline") -> pl.Expr:
    """(good - bad) / (good + bad) of a headline's words, 0 where it has none of either."""
    rest = pl.col(headline).str.to_lowercase()
    good, bad = pl.lit(0), pl.lit(0)
    for pattern, sign in TURNED:
        hits = rest.str.count_matches(pattern)
        good, bad = (good + hits, bad) if sign > 0 else (good, bad + hits)
        rest = rest.str.replace_all(pattern, " ")
    turned_good = rest.str.count_matches(rf"\b{NEGATION}\s+(?:\w+\s+){{0,1}}{_stems(POSITIVE)[2:]}")
    turned_bad = rest.str.count_matches(rf"\b{NEGATION}\s+(?:\w+\s+){{0,1}}{_stems(NEGATIVE)[2:]}")
    good = good + rest.str.count_matches(_stems(POSITIVE)) - turned_good + turned_bad
    bad = bad + rest.str.count_matches(_stems(NEGATIVE)) - turned_bad + turned_good
    total = (good + bad).cast(pl.Float64)
    return pl.when(total > 0).then((good.cast(pl.Float64) - bad.cast(pl.Float64)) / total).otherwise(0.0)
