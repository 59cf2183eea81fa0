"""Environment and YAML in, frozen models that forbid unknown keys out.

:mod:`~aitrader.settings.place` (standard library only) says where things are; :mod:`~aitrader.settings.load` reads
everything.
"""
