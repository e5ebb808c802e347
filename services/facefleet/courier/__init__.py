"""Carries what a spool holds to the next holder, and lets it go only on a receipt."""
