"""`python -m wmtui` is `wmtui`."""

from wmtui.cli.main import run

if __name__ == "__main__":
    run()
