"""The fleet: from bare hosts and an empty account to faces in a bucket."""
