"""Make the pictures of the README from a running stack, with chromium and a font for Chinese (fonts-noto-cjk).

gridstream demo            # in another terminal
.venv/bin/python docs/pictures/make.py
"""

import base64
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.terminal_theme import MONOKAI
from rich.text import Text
from websockets.sync.client import ClientConnection, connect

from infra.settings import settings

HERE = Path(__file__).resolve().parent
GRIDSTREAM = Path(sys.executable).with_name("gridstream")
COLUMNS = 172
CELL = (8.4, 18)  # width and height of a character, in pixels
# Clicks the group of assets named TEXT in the graph, which expands it; then lets the graph fit the window.
_CLICK = """(async () => {
  const named = [...document.querySelectorAll('svg foreignObject *')].filter(part =>
    part.childElementCount == 0 && part.textContent == 'TEXT')
  named.forEach(part => part.dispatchEvent(new MouseEvent('click', {bubbles: true})))
  await new Promise(done => setTimeout(done, 8000))
  document.querySelector('svg foreignObject').closest('svg').parentElement.dispatchEvent(
    new MouseEvent('dblclick', {bubbles: true}))
})()"""
_PAGE = """<meta charset=utf-8><style>
body { margin: 0; padding: 12px; background: #0c0c0c; color: #d9d9d9 }
div { height: 18px; white-space: pre; font: 14px/18px 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace }
i { display: inline-block; height: 18px; font-style: normal }
.w1 { width: 8.4px } .w2 { width: 16.8px }
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
    process = subprocess.Popen(  # noqa: S603
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


def screenshot(
    address: str, file: Path, width: int, height: int, seconds: float = 1, click: tuple[str, ...] = ()
) -> None:
    """The page after `seconds`, for pages that fetch what they draw: chromium's own --screenshot does not wait."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("no chromium found")
    with TemporaryDirectory() as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
        size = f"--window-size={width},{height}"
        process = subprocess.Popen(  # noqa: S603
            [browser, *options, size, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.PIPE, text=True
        )
        try:
            said = iter(process.stderr or ())
            port = next(found[1] for line in said if (found := re.search(r"ws://127\.0\.0\.1:(\d+)/", line)))
            page = httpx.put(f"http://127.0.0.1:{port}/json/new?{quote(address, safe=':/?=,')}").json()
            time.sleep(seconds)
            with connect(page["webSocketDebuggerUrl"], max_size=None) as channel:
                region = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
                ask(channel, "Emulation.setDeviceMetricsOverride", region)
                time.sleep(seconds)
                for text in click:
                    ask(channel, "Runtime.evaluate", {"expression": _CLICK.replace("TEXT", text)})
                    time.sleep(seconds / 2)
                answer = ask(channel, "Page.captureScreenshot", {"format": "png"})
            file.write_bytes(base64.b64decode(answer["data"]))
        finally:
            process.terminate()
            process.wait(30)


def ask(channel: ClientConnection, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """A command of the DevTools protocol; its result."""
    channel.send(json.dumps({"id": 1, "method": method, "params": parameters}))
    while "id" not in (answer := json.loads(channel.recv(60))):
        pass
    result: dict[str, Any] = answer["result"]
    return result


def main() -> None:
    chosen = sys.argv[1:] or [*TERMINALS, "assets"]
    with TemporaryDirectory() as folder:
        for name, command in TERMINALS.items():
            if name in chosen:
                terminal(name, command, Path(folder))
    if "assets" in chosen:
        config = settings()
        address = f"http://{config.local_host}:{config.dagster_port}/asset-groups"
        screenshot(address, HERE / "assets.png", 2000, 760, seconds=20, click=("marts", "stream"))


if __name__ == "__main__":
    main()
