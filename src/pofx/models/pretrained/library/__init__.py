"""The forward pass of `transformers`, for architectures that pofx's decoder lacks, and as a check of the decoder."""
