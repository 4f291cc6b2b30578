"""The raw files of NATS-Bench and of NAS-Bench-201, which share their records."""
