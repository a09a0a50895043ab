"""The fit of an n-gram in bounded memory: counts in sorted runs on disk, merged, and smoothed column by column."""
