"""Saving what is shown as a picture."""

from pathlib import Path

from wmtui.tui import image_file
from wmtui.tui.commands.reports import failures_reported
from wmtui.tui.shell import Shell


async def save_screenshot(shell: Shell) -> None:
    """Save what is shown as SVG and PNG, in the folder wmtui was started in."""
    workspace = shell.service.workspace
    svg = shell.export_screenshot(title=image_file.title(workspace))
    paths = [Path(f"{image_file.file_stem(workspace)}{suffix}") for suffix in image_file.SUFFIXES]

    def save() -> None:
        for path in paths:
            image_file.save(svg, path)

    with failures_reported(shell):
        await shell.background.run(save)
        shell.notify(f"saved {paths[0].resolve()} and .png")
