"""Draws the table of a dump of the fixtures as docs/table.svg, in the colours that a terminal gets.

    cargo build && python3 docs/table_svg.py target/debug/bigkeys
"""

import fcntl
import html
import os
import pathlib
import pty
import re
import struct
import sys
import termios

COLUMNS, LINES = 96, 40
ADVANCE, HEIGHT, MARGIN = 8.4, 19, 16
ARGUMENTS = ["--top", "5", "--progress", "never", "fixtures/shop_v10.rdb"]
CLASSES = {"1": "bold", "2": "dim", "31": "alarm", "36": "bars"}
STYLE = """
text { font: 14px "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre; fill: #1b222c }
rect { fill: #f4f6f9 } .bold { font-weight: 700 } .dim { fill: #566170 } .alarm { fill: #b03a00 } .bars { fill: #0072b2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e9f0 } rect { fill: #1d2229 } .dim { fill: #a2adbb } .alarm { fill: #ff9a62 } .bars { fill: #56a9e0 }
}
"""


def printed(program):
    """What the program prints to a terminal of so many columns."""
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.execve(program, [program, *ARGUMENTS], {"TERM": "xterm"})
    chunks = []
    try:
        while chunk := os.read(terminal, 1 << 16):
            chunks.append(chunk)
    except OSError:
        pass  # The other end is closed.
    _, status = os.waitpid(process, 0)
    if status != 0:
        sys.exit(f"{program} {' '.join(ARGUMENTS)}: status {status}")
    return b"".join(chunks).decode().replace("\r\n", "\n")


def line(text, y):
    """A line of the picture: runs of one style, each where its first column is."""
    runs, style, column = [], "", 0
    for part in re.split(r"(\x1b\[\d*m)", text):
        if escape := re.fullmatch(r"\x1b\[(\d*)m", part):
            style = CLASSES.get(escape[1], "")
        elif part:
            if part.strip():
                of = f' class="{style}"' if style else ""
                x = MARGIN + column * ADVANCE
                width = f' textLength="{len(part) * ADVANCE:.1f}"'
                runs.append(f'<tspan{of} x="{x:.1f}"{width}>{html.escape(part)}</tspan>')
            column += len(part)
    return f'<text y="{y}">{"".join(runs)}</text>' if runs else ""


def main():
    text = f"$ bigkeys {' '.join(ARGUMENTS[:2] + ARGUMENTS[-1:])}\n" + printed(sys.argv[1])
    shown = text.split("\n")[:LINES]
    width, height = MARGIN * 2 + COLUMNS * ADVANCE, MARGIN * 2 + len(shown) * HEIGHT
    lines = [line(shown_line, MARGIN + (at + 0.75) * HEIGHT) for at, shown_line in enumerate(shown)]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="The first lines of the table that bigkeys prints of a shop\'s dump">\n<style>{STYLE}</style>\n'
        f'<rect width="100%" height="100%" rx="8"/>\n' + "\n".join(filter(None, lines)) + "\n</svg>\n"
    )
    pathlib.Path(__file__).with_name("table.svg").write_text(svg)


main()
