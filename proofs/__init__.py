"""What the project claims at full size, each claim a module that measures it and raises AssertionError where it fails.

A module has ``NAME``, ``COVERS`` (the files and folders that the claim speaks of) and ``run(progress) -> figures``;
``tools/prove.py`` runs them and keeps the figures in ``docs/proofs/``.
"""
