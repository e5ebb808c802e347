"""What travels: the face event, its topics and the MQTT link."""
