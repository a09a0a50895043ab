"""From one distribution to another: LM -> LM. Whatever changes p is itself an LM."""
