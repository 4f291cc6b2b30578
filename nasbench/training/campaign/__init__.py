"""Campaigns: many trainings in parallel, each once, kept in a journal and packed into a table."""
