"""From one distribution to another: LM -> LM. A model with another p, such as a warped p, is itself an LM."""
