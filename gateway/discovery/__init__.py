"""Home Assistant's MQTT discovery, read as a source of device profiles: expand, map onto points, write files."""
