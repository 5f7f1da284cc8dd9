"""The command line: one module for each command, listed in `commands` and imported on use.

`main` reads the line with `options`, opens what it is about in `invocation`, and ends with an exit code, also after a
signal (`shutdown`). Data go to stdout and messages to stderr through `console`. `display` chooses how work under way is
shown: drawn (`live`), as lines (`progress`), or as JSON Lines (`events_json`). Operations come from `wmtui.service`
alone, sentences from `wmtui.words`.
"""
