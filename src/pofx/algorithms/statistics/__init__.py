"""Estimators, tests and samplers that need numbers alone."""
