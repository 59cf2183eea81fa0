"""Measures the scanner against pandas, Polars expressions, TA-Lib and zipline's Pipeline: ``python -m bench``."""
