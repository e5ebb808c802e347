"""Custody: what was taken is kept on disk until the next holder says that it has it. Knows no MQTT."""
