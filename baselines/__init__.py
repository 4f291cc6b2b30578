"""Reference search algorithms, one file each: ask() for a trial, tell() its validation accuracy.

Each constructor takes ``(space, *, seed, **arguments)``; the defaults are published ones, and each says whose.
"""
