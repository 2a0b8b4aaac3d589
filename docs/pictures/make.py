"""Make the pictures of the README from a running stack, with chromium and a font for Chinese (fonts-noto-cjk).

    gridstream demo            # in another terminal
    .venv/bin/python docs/pictures/make.py
"""

import os
import pty
import shutil
import subprocess
import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.terminal_theme import MONOKAI
from rich.text import Text

from infra.settings import settings

HERE = Path(__file__).resolve().parent
GRIDSTREAM = Path(sys.executable).with_name("gridstream")
COLUMNS = 172
CELL = (8.4, 18)  # width and height of a character, in pixels
_PAGE = """<meta charset=utf-8><style>
body { margin: 0; padding: 12px; background: #0c0c0c; color: #d9d9d9 }
div { height: 18px; white-space: pre; font: 14px/18px 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace }
i { display: inline-block; height: 18px; font-style: normal; overflow: visible } .w1 { width: 8.4px } .w2 { width: 16.8px }
</style>
LINES"""
TERMINALS = {
    "ranking": "ranking --level county --period week",
    "status": "status",
    "trends": "trends --limit 8",
    "verify": "verify",
}


def output(command: str) -> str:
    """What a command prints on a terminal, with colours."""
    reader, writer = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        [GRIDSTREAM, *command.split()], stdout=writer, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(writer)
    text = b""
    try:
        while part := os.read(reader, 65536):
            text += part
    except OSError:  # Linux: the other end was closed
        pass
    process.wait()
    return text.decode().replace("\r\n", "\n")


def terminal(name: str, command: str, folder: Path) -> None:
    """The output of a command as a picture."""
    console = Console(width=COLUMNS, color_system="truecolor", file=(folder / "ignored").open("w"))
    text = Text.from_ansi(f"$ gridstream {command}\n{output(command)}".rstrip())
    lines = console.render_lines(text, pad=False)
    page = folder / f"{name}.html"
    page.write_text(_PAGE.replace("LINES", "\n".join(map(drawn, lines))), "utf-8")
    columns = max(sum(segment.cell_length for segment in line) for line in lines)
    screenshot(page.as_uri(), HERE / f"{name}.png", round(columns * CELL[0]) + 24, len(lines) * CELL[1] + 24)


def drawn(line: list[Segment]) -> str:
    """A line as HTML, each character in a box of its own: a Chinese one is as wide as two others in any font."""
    cells = []
    for text, style, _ in line:
        css = style.get_html_style(MONOKAI) if style else ""
        cells += [f'<i class=w{cell_len(letter)} style="{css}">{escape(letter)}</i>' for letter in text]
    return f"<div>{''.join(cells)}</div>"


def screenshot(address: str, file: Path, width: int, height: int) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("no chromium found")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--timeout=20000"]
    subprocess.run(
        [browser, *options, f"--window-size={width},{height}", f"--screenshot={file}", address],
        check=True,
        capture_output=True,
        timeout=120,
    )


def main() -> None:
    chosen = sys.argv[1:] or [*TERMINALS, "assets"]
    with TemporaryDirectory() as folder:
        for name, command in TERMINALS.items():
            if name in chosen:
                terminal(name, command, Path(folder))
    if "assets" in chosen:
        config = settings()
        address = f"http://{config.local_host}:{config.dagster_port}/asset-groups"
        screenshot(address, HERE / "assets.png", 1500, 900)


if __name__ == "__main__":
    main()
