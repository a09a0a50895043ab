"""Verbs that make, list and check models."""
