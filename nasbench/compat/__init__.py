"""Stand-ins for the packages that old scripts import, over tables: see docs/legacy_nats.md.

Percent, epochs that count from 0, and names such as ``hp`` or ``cifar10-valid`` appear here and nowhere else.
"""
