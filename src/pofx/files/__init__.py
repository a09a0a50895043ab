"""Files that pofx writes and finds again: journals, caches, pins, and directories that appear in one step."""
