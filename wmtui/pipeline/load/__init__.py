"""The loading half of a sync: from committed files to rows in the warehouse, in one transaction with the ledger."""
