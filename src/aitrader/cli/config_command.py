"""``config``: the effective configuration."""

from __future__ import annotations

import json
from typing import Any

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.output import Column, write_json, write_table
from aitrader.cli.registry import action
from aitrader.operations.published import bare_envelope


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


_SETTINGS = (
    Column(key="name", heading="setting"),
    Column(key="value", heading="value", show=_value),
    Column(key="origin", heading="from"),
)


@action()
def config(call: Call) -> int:
    """Print every setting with its value and where it comes from.

    Precedence: flag, AI_TRADER__SECTION__KEY, config/environments/ENV.yml, the file, the default. These are the files
    as they are now; scans use the version that was last adopted, which --requalify changes.
    """
    from aitrader.settings.place import locate

    place, settings = locate(call.environ), call.settings()
    rows = [{"name": one.name, "value": one.value, "origin": one.origin} for one in settings.effective()]
    places = {
        "environment": place.environment,
        "home": str(place.home),
        "config_dir": str(place.config_dir),
        "market": call.market or place.market,
    }
    if call.json:
        head = bare_envelope(environment=place.environment, source=None)
        write_json(call.out, {**head, "config_version": settings.scanner.version, "places": places, "settings": rows})
        return exit_codes.OK
    for name, value in places.items():
        call.out.write(f"{name}: {value or 'the one last populated'}\n")
    call.out.write(f"config version of these files: {settings.scanner.version}\n\n")
    write_table(call.out, _SETTINGS, rows)
    return exit_codes.OK
