"""Which keys there are, and where keys typed ahead go."""
