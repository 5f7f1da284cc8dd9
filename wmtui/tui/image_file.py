"""Pictures of the screen: SVG as Textual draws it, and PNG made from it with a font of our own."""

import re
from pathlib import Path

from wmtui.errors import UsageError
from wmtui.service import Workspace

FONTS = Path(__file__).parent / "fonts"
_FAMILY = "DejaVu Sans Mono"
SUFFIXES = (".svg", ".png")


def check(path: Path) -> None:
    """Raises UsageError for a name that is no picture's."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"cannot make a picture {path}", "its name ends in neither .svg nor .png", "name it status.png"
        )


def title(workspace: Workspace) -> str:
    """What stands over a picture: profile, host and UTC time."""
    settings, host = workspace.settings, workspace.author.host
    return f"wmtui · {settings.profile_name} · {host} · {workspace.clock():%Y-%m-%d %H:%M:%S} UTC"


def file_stem(workspace: Workspace) -> str:
    """The name, without its ending, of what is saved by a key: of profile and UTC time."""
    return f"wmtui-{workspace.settings.profile_name}-{workspace.clock():%Y%m%dT%H%M%SZ}"


def portable(svg: str) -> str:
    """The SVG without links: its fonts are those of the machine that shows it."""
    without_faces = re.sub(r"@font-face\s*\{[^}]*\}", "", svg)
    named = re.sub(r"Fira Code", _FAMILY, without_faces)
    return re.sub(r"font-family:\s*arial", f"font-family: {_FAMILY}, sans-serif", named)


def save(svg: str, path: Path) -> None:
    """Write a picture of the kind its name says. Raises UsageError when it cannot be written."""
    svg = portable(svg)
    try:
        if path.suffix.lower() == ".svg":
            path.write_text(svg, encoding="utf-8")
        else:
            path.write_bytes(png(svg))
    except OSError as error:
        raise UsageError(f"cannot write {path}", error.strerror or "", "name a place that you may write") from None


def png(svg: str) -> bytes:
    """The picture in pixels; needs no font on the machine."""
    import resvg_py

    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=1.25,
            skip_system_fonts=True,
            font_files=[str(font) for font in sorted(FONTS.glob("*.ttf"))],
            font_family=_FAMILY,
            monospace_family=_FAMILY,
            sans_serif_family=_FAMILY,
        )
    )
