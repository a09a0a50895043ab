"""The command line, with one file for each verb. No module outside this package prints."""
