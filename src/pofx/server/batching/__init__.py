"""One model for many requests: requests take turns between passes, and calls that wait together are computed together."""
