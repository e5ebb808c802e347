"""provision.yml and unprovision.yml, run for real on an AWS account of this machine."""
