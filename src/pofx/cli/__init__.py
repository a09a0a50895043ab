"""The command line: one file a verb. Nothing below prints."""
