"""Pages from templates, with their pictures inside."""

import base64
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from gpip.core.files import replacing

PIXELS_PER_INCH = 105
"""Of figures on the page: letters are as large in a small figure as in a wide one."""


def render(template: str, **values: Any) -> str:
    """The page of a template of this package; `today` is added."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(today=date.today().isoformat(), **values)


def picture(figure: Figure, folder: Path, name: str, caption: str) -> dict[str, Any]:
    """Write `<name>.png` into a folder; returns what the template's macro `picture` shows, the image inside."""
    path = folder / f"{name}.png"
    with replacing(path) as partial:
        figure.savefig(partial, metadata={"Software": None})
    data = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    width = round(figure.get_figwidth() * PIXELS_PER_INCH)
    return {"name": name, "caption": caption, "data": data, "width": width}
