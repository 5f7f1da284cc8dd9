"""What PostgreSQL and Redshift share: the client protocol (psycopg) and transaction 2 of a load."""
