"""From when on something is wrong. The alert rules (compose/cloud/alerts.yml.j2) have the same."""

REPORT_EVERY_S = 30
"""A device says its status at least this often."""
SILENT_S = 120
"""Four reports that did not come."""
BACKLOG_OLD_S = 900
BACKLOG_VERY_OLD_S = 6 * 3600
NO_RECEIPT_S = 600
"""Something is held, the link is there, and the cloud says of nothing that it has it."""
GIVING_UP_S = 3600
"""Faces given up within this time count as being given up now."""
SPOOL_FILLING_SHARE = 0.8
SPOOL_FULL_SHARE = 0.95
CERTIFICATE_ENDS_DAYS = 30
CERTIFICATE_ENDS_SOON_DAYS = 7
AUTHORITY_ENDS_DAYS = 180
AUTHORITY_ENDS_SOON_DAYS = 60
"""It takes as long to replace as the longest absence of a device."""
PULL_SILENT_S = 86400
"""A device that fetches its releases itself looks for them every quarter of an hour."""
DISK_FILLING_SHARE = 0.10
DISK_FULL_SHARE = 0.05
"""Of the whole, what is free."""
MEMORY_LOW_SHARE = 0.05
HOT_CELSIUS = 85
TOO_HOT_CELSIUS = 95
"""A Jetson slows down below 100 and goes off above."""
