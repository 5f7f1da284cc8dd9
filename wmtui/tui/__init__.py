"""The screen: tables, one watermark, the log of syncs. It shows what `service` says and asks it for every change."""
