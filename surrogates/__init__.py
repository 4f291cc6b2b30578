"""Learned performance predictors. None has landed yet."""
