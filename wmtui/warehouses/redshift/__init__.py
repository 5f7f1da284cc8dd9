"""Amazon Redshift: it reads the parts itself, from S3."""
