"""What the models are served through: registers over Modbus, topics over MQTT, and the faults of the wire."""
