"""How images get from the control host to the hosts, on real engines."""
