"""Criteria: named questions over the whole cross-section. A new one is a YAML line, or also a function in ``named``."""
