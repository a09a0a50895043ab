"""Candidates for x0 of a pretrained model, and whether p(x1 | x0) was learned."""
