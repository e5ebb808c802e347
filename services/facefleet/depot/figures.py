"""What the depot counts."""

from prometheus_client import Counter, Gauge

REQUESTS = Counter("facefleet_depot_requests", "Requests, by route and answer", ["route", "status"])
SENT_BYTES = Counter("facefleet_depot_sent_bytes", "Bytes of blobs that went to devices")
CUT_OFF = Counter("facefleet_depot_cut_off", "Blobs whose transfer ended before its end")
TURNED_AWAY = Counter("facefleet_depot_turned_away", "Connections that were not taken, by why", ["why"])
DOWNLOADS = Gauge("facefleet_depot_downloads", "Blobs on their way now")
REPORTS = Counter("facefleet_depot_reports", "What devices said of their updates", ["state"])
