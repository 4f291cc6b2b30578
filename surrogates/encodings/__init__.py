"""Encodings: from architectures, and what else is known of them, to numbers that a model can learn from."""

from surrogates.encodings.encoding import Encoding, EncodingError, GraphFeatures, OneHot, Paths, encoding_of

__all__ = ["Encoding", "EncodingError", "GraphFeatures", "OneHot", "Paths", "encoding_of"]
