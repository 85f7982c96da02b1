"""Models of devices: state that behaves like hardware; pure."""
