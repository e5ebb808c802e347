"""What can be wrong with a bundle, or with the machine that it meets."""


class BundleError(Exception):
    """One sentence for the operator: what is wrong, and what to do."""
