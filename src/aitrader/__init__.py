"""AI Trader Scanner: every US listing in, the 20-50 worth trading out, each decision explained."""

__version__ = "0.1.0"
