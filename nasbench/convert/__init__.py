"""Names of :mod:`nasbench.sources` in release 0.1, for what was written with it."""
