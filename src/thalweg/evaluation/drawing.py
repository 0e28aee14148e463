"""Pictures as SVG inside of a page, whose colours follow the page: light, dark or printed."""

from __future__ import annotations

import io
import re
import warnings

from thalweg.evaluation.section import Picture
from thalweg.plotting import part

INK, FAINT = "#010203", "#010204"
COLOURS = [f"#0102{10 + at}" for at in range(8)]
"""What matplotlib draws with; no picture has these colours by chance. The page says what they stand for."""

_VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", **{own: f"var(--c{at})" for at, own in enumerate(COLOURS)}}
_FONTS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Verdana, sans-serif"

_STYLE = {
    "svg.fonttype": "none",  # text stays text: smaller, can be searched and read aloud
    "svg.hashsalt": "thalweg",  # the same picture has the same bytes
    "text.parse_math": False,  # a column may be called "$"
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


def svg(picture: Picture) -> str:
    """The picture as an SVG element.

    Raises: MissingPackageError without matplotlib.
    """
    matplotlib = part("pyplot").matplotlib
    figures, cycler = part("figure"), matplotlib.cycler
    with matplotlib.rc_context({**_STYLE, "axes.prop_cycle": cycler(color=COLOURS)}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has a font that has it
        figure = figures.Figure(figsize=(picture.width, picture.height), layout="constrained")
        picture.draw(figure.subplots())
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(target.getvalue(), picture)


def _inline(text: str, picture: Picture) -> str:
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    referred = set(re.findall(r"#([\w-]+)", element))
    element = re.sub(r' id="([\w-]+)"', lambda found: found[0] if found[1] in referred else "", element)
    element = re.sub(
        r'(<svg[^>]*?) width="[^"]*"', rf'\1 style="max-width: {picture.width * 96:.0f}px"', element, count=1
    )
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    for own, variable in _VARIABLES.items():
        element = element.replace(own, variable)
    # In two steps, since a name of a font that matplotlib writes stands in quotes of either kind.
    element = re.sub(r"font: ([\w .]*?)px [^;\"]*", rf"font: \1px {_FONTS}", element)
    return re.sub(r"\n\s*\n+", "\n", element)
