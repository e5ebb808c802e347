"""What Ansible loads of ours."""
