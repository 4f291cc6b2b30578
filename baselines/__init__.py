"""Reference search algorithms, one file each: ask() for a trial, tell() its validation accuracy.

Each constructor takes ``(space, *, seed, **arguments)``, and says of every default whose it is. Six algorithms have
published ones; ``gp_expected_improvement`` and ``tree_confidence_bound`` are our own, and their defaults were tuned on
the embedded table. Each also says how it decides between equal accuracies, which are frequent: an accuracy is a count
of images.
"""
