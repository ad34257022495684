"""hippo-tiny: the small language model that ships with the package, and the recipe that made it."""
