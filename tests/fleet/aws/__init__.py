"""An AWS account on this machine: moto with its faults mended, for the roles that users run."""
