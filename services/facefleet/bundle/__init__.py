"""A bundle: one signed file with all that a site without internet needs; how it is made and installed."""
