"""The forward pass of `transformers`: for architectures that our decoder lacks, and as a check of ours."""
