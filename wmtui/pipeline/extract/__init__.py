"""The extracting half of a sync: from rows of the source to durable parts that a committed run document lists."""
