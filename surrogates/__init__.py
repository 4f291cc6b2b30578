"""Learned predictors of accuracy: encodings, one file a model, and the protocol that scores them."""
