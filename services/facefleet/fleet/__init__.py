"""The fleet as its operator sees it: each device's last words, what is wrong with it, the table of all."""
