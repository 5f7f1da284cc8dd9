"""wmtui: the cockpit of an incremental MySQL → S3 → Redshift pipeline."""
