"""The embedded tables: real results, small enough to come with the package. NOTICE says whose they are."""

import os

NASBENCH201 = os.path.join(os.path.dirname(__file__), "nasbench201.h5")
"""NAS-Bench-201: validation accuracy of all 15,625 architectures after 200 epochs, run by run."""
CONV5 = os.path.join(os.path.dirname(__file__), "conv5_16px_4epochs.h5")
"""301 architectures of conv5, trained here twice each: 4 epochs of 8,000 CIFAR-10 images of 16 x 16 pixels."""
