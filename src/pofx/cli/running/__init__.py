"""Runs of verbs that write rows: options become a job, and the job writes a file or a directory of parts."""
