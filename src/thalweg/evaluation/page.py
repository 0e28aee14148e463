"""A judgement as one HTML file: pictures inside, no scripts, nothing from the net; for screens, phones and paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from thalweg.evaluation.drawing import svg
from thalweg.evaluation.section import Section
from thalweg.table import Table
from thalweg.version import __version__

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f6f7f9; --ink: #1c2430; --faint: #6b7684; --line: #d9dee5;
  --c0: #1f66b0; --c1: #c2571a; --c2: #2b8a4b; --c3: #b3304a;
  --c4: #7a4fb5; --c5: #8a6d1f; --c6: #17818a; --c7: #b04a93;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --card: #1c2229; --ink: #e3e8ee; --faint: #98a3b0; --line: #333c47;
    --c0: #6cb0f2; --c1: #f09a5f; --c2: #6fcf8e; --c3: #f17f93;
    --c4: #b99cf0; --c5: #d8bb63; --c6: #5fcbd4; --c7: #ec93d0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.2rem 1rem 3rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0 0.75rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.6rem; padding-top: 0.9rem; border-top: 1px solid var(--line); }
p { margin: 0.5rem 0; max-width: 40rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.6rem; margin: 1rem 0; }
.tile { background: var(--card); border-radius: 0.5rem; padding: 0.6rem 0.8rem; }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; line-height: 1.3; }
.tile span { color: var(--faint); font-size: 0.85rem; display: block; }
.wide { overflow-x: auto; margin: 0.7rem 0; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; color: var(--faint); padding-bottom: 0.25rem; }
th, td { padding: 0.22rem 0.7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
td { max-width: 22rem; overflow: hidden; text-overflow: ellipsis; }
th { font-weight: 600; }
th:first-child, td:first-child { padding-left: 0; }
.left { text-align: left; }
.part { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; align-items: flex-start; }
.part > div { min-width: 0; max-width: 100%; }
.part > div:only-child { width: 100%; }
.pictures {
  flex: 1 1 20rem; display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr));
}
figure { margin: 0.4rem 0; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--faint); font-size: 0.88rem; }
nav a { margin-right: 0.9rem; white-space: nowrap; color: var(--c0); text-decoration: none; }
footer { margin-top: 2.5rem; color: var(--faint); font-size: 0.85rem; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, caption { break-after: avoid; }
  figure, tr, .tile { break-inside: avoid; }
  .wide { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { white-space: normal; padding: 0.1rem 0.35rem; }
}
"""


def html(title: str, notes: Sequence[str], sections: Sequence[Section]) -> str:
    """The page. Raises: MissingPackageError without matplotlib."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>",
            *(f"<p>{escape(note)}</p>" for note in notes),
            *_tiles(sections),
            *_contents(sections),
            *_parts(sections),
            f"<footer>thalweg {escape(__version__)}</footer>\n</body>\n</html>\n",
        ]
    )


def _tiles(sections: Sequence[Section]) -> Iterator[str]:
    """The first scores, large."""
    table = next((section.table() for section in sections if section.key == "scores"), None)
    if table is not None:
        yield '<div class="tiles">'
        for name, value, interval, *_ in table.rows[:4]:
            cells = f"<span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(interval)}</span>"
            yield f'<div class="tile">{cells}</div>'
        yield "</div>"


def _contents(sections: Sequence[Section]) -> Iterator[str]:
    headings = {section.key: section.heading for section in sections}
    yield "<nav>" + " ".join(f'<a href="#{key}">{escape(name)}</a>' for key, name in headings.items()) + "</nav>"


def _parts(sections: Sequence[Section]) -> Iterator[str]:
    """Several sections of one kind stand below one heading: first what they say, then all of their pictures."""
    kinds = dict.fromkeys(section.key for section in sections)
    for key in kinds:
        own = [section for section in sections if section.key == key]
        yield f'<section id="{key}">\n<h2>{escape(own[0].heading)}</h2>'
        pictures = [picture for section in own for picture in section.pictures()]
        figures = [_figure(svg(picture), picture.caption) for picture in pictures]
        said = []
        for section in own:
            said += [_table(table) for table in section.page_tables() if table.rows]
            said += [f"<p>{escape(sentence)}</p>" for sentence in section.sentences()]
        yield '<div class="part">'
        if said:
            yield "<div>" + "\n".join(said) + "</div>"
        if figures:
            yield '<div class="pictures">' + "\n".join(figures) + "</div>"
        yield "</div>"
        yield "</section>"


def _figure(picture: str, caption: str) -> str:
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{picture}{below}</figure>"


def _table(table: Table) -> str:
    def row(cells: Sequence[str], kind: str) -> str:
        sides = [' class="left"' if at < table.left else "" for at in range(len(cells))]
        inner = "".join(f"<{kind}{side}>{escape(cell)}</{kind}>" for side, cell in zip(sides, cells, strict=True))
        return f"<tr>{inner}</tr>"

    title = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    body = "\n".join(row(cells, "td") for cells in table.rows)
    head = f"<thead>{row(table.header, 'th')}</thead>"
    return f'<div class="wide"><table>{title}{head}<tbody>\n{body}\n</tbody></table></div>'
