"""Fits of the simulated market to the real sets; run by ``tools/fit_simulation.py``."""
