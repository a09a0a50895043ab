"""The distribution over bytes of a token model: hypotheses of tokens, and a beam over their histories."""
