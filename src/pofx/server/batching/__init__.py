"""One model for many requests, which take turns between passes; calls that wait together are computed together."""
