"""Good bodies of the SEC's, the directories' and the manual list's parse functions, for the fuzzer."""

from __future__ import annotations

from aitrader.providers import manual, nasdaq_trader
from tests.providers.parse_fuzzer import seeded
from tests.providers.test_sec import BODIES

for parse, good in BODIES.items():
    seeded(f"sec.{parse.__name__}", parse, good)
NASDAQ_LISTED = (
    b"Symbol|Security Name|Market Category|Test Issue|Financial Status|Round Lot Size|ETF|NextShares\r\n"
    b"AAPL|Apple Inc. - Common Stock|Q|N|N|100|N|N\r\n"
    b"QQQ|Invesco QQQ Trust|G|N|N|100|Y|N\r\n"
    b"ZTEST|Test Issue|G|Y|N|100|N|N\r\n"
    b"File Creation Time: 0328202517:01|||||||\r\n"
)
OTHER_LISTED = (
    b"ACT Symbol|Security Name|Exchange|CQS Symbol|ETF|Round Lot Size|Test Issue|NASDAQ Symbol\r\n"
    b"BRK.B|Berkshire Hathaway Common Stock|N|BRK.B|N|100|N|BRK.B\r\n"
    b"ABR$D|Arbor Realty Preferred|N|ABRpD|N|100|N|ABR-D\r\n"
    b"SPY|SPDR S&P 500|P|SPY|Y|100|N|SPY\r\n"
    b"File Creation Time: 0328202517:01|||||||\r\n"
)
seeded("nasdaq_trader.parse_nasdaq_listed", nasdaq_trader.parse_nasdaq_listed, NASDAQ_LISTED)
seeded("nasdaq_trader.parse_other_listed", nasdaq_trader.parse_other_listed, OTHER_LISTED)
seeded(
    "manual.parse_manual_list",
    manual.parse_manual_list,
    b"# kept by hand\nAAPL,NASDAQ,common,Apple Inc.\nBRK.B,NYSE,common\nSPY\nNA\n",
)
