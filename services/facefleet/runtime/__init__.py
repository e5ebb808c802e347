"""What every service runs on: settings, logs, health, metrics and the start itself."""
