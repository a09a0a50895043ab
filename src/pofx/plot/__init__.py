"""Pictures of records, by matplotlib: `pofx.plot.surprisal({"6-gram": words(lm, [text])[0]})`.

Each function takes a record, or a mapping of names to records, and returns the Axes of its picture. matplotlib is imported
when the first picture is drawn.
"""

from pofx.plot.alive import alive
from pofx.plot.bits_per_byte import bits_per_byte
from pofx.plot.learning_curve import learning_curve
from pofx.plot.losses import losses
from pofx.plot.reliability import reliability
from pofx.plot.surprisal import surprisal

__all__ = ["alive", "bits_per_byte", "learning_curve", "losses", "reliability", "surprisal"]
