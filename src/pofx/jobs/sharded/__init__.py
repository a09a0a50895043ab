"""Jobs cut into units: an immutable plan, one part and one commit record a unit, and workers that do units in any order."""
