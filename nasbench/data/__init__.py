"""The embedded tables: real results, small enough to come with the package. NOTICE says whose they are."""

import os

NASBENCH201 = os.path.join(os.path.dirname(__file__), "nasbench201.h5")
"""NAS-Bench-201: validation accuracy of all 15,625 architectures after 200 epochs, run by run."""
