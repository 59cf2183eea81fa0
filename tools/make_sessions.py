"""Write the table of XNYS sessions that the package ships: ``python tools/make_sessions.py``.

Needs exchange-calendars, a development dependency. Each line is a session; a second field is its close where that is
not 16:00 New York. Every session since 1990 opened at 09:30, which the tool checks.
"""

from __future__ import annotations

import sys
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "src" / "aitrader" / "domain" / "sessions_xnys.csv"
FIRST, LAST = "1990-01-01", "2040-12-31"


def main() -> int:
    """Write the table and say what it spans."""
    import exchange_calendars

    schedule = exchange_calendars.get_calendar("XNYS", start=FIRST, end=LAST).schedule
    opens = schedule["open"].dt.tz_convert("America/New_York").dt.strftime("%H:%M")
    closes = schedule["close"].dt.tz_convert("America/New_York").dt.strftime("%H:%M")
    if set(opens) != {"09:30"}:
        raise SystemExit(f"a session opens at {sorted(set(opens) - {'09:30'})}: the table has no field for that")
    lines = ["session,close"]
    for session, close in zip(schedule.index.strftime("%Y-%m-%d"), closes, strict=True):
        lines.append(session if close == "16:00" else f"{session},{close}")
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    early = sum("," in line for line in lines[1:])
    print(f"{TABLE.name}: {len(lines) - 1} sessions {lines[1][:10]}..{lines[-1][:10]}, {early} early closes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
