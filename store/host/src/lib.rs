//! What any process of ours needs around it: telemetry, settings, shutdown, admin port.
