"""The screen: tables, one watermark, the log of syncs. It shows what `service` returns and asks it for every change.

`app` wires the packages together. A key is a line in `keys/actions`, which names a function of `commands`; it
gets the `shell.Shell`: it opens `dialogs`, works in the `background` and changes what `panes` show, which are made of
`widgets` and draw what `state` holds.
"""
