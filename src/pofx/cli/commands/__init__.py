"""The verbs of `pofx`, with one file for each verb."""
