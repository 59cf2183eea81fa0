"""The commands that exist, each with the actions of its module; the help, the parser and the docs read this."""

from __future__ import annotations

from typing import Final

from aitrader.cli import (
    config_command,
    scan_command,
    simulate_command,
    status_command,
    universe_health,
    universe_layers,
    universe_symbols,
    universe_writing,
    validate_command,
)
from aitrader.cli.registry import Command, actions_in

COMMANDS: Final = (
    Command(
        name="scan",
        summary="Run the whole funnel on what is stored: universe, liquidity, technical, fundamental.",
        actions=actions_in(scan_command),
    ),
    Command(
        name="universe",
        summary="Populate, list, explain and requalify the layers of the universe; one action a call.",
        actions=tuple(
            action
            for module in (universe_writing, universe_layers, universe_symbols, universe_health)
            for action in actions_in(module)
        ),
    ),
    Command(
        name="validate",
        summary="Try out what the scanner depends on: the sources, their keys, whether they answer.",
        actions=actions_in(validate_command),
    ),
    Command(
        name="status",
        summary="Show the state of the sources: limits, requests, errors, last answers; nobody is asked.",
        actions=actions_in(status_command),
    ),
    Command(
        name="config",
        summary="Show the effective configuration and where each setting comes from.",
        actions=actions_in(config_command),
    ),
    Command(
        name="simulate",
        summary="Serve the simulated market over HTTP in the wire formats of Alpaca, Polygon and the SEC.",
        actions=actions_in(simulate_command),
    ),
)
