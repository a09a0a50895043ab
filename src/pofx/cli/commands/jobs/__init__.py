"""Verbs that look at the output directory of a job."""
