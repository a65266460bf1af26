"""A headless browser, where there is one: what of a page overlaps, is cut or hidden, by its width."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

PHONE, PAPER, SCREEN = 390, 718, 1280
"""Widths in CSS pixels; paper is A4 with Chromium's margins."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LOOK = """
const found = {};
for (const frame of document.querySelectorAll("iframe")) {
  const page = frame.contentDocument, wrong = [];
  const root = page.documentElement;
  if (root.scrollWidth > root.clientWidth) wrong.push(`the page is ${root.scrollWidth} wide`);
  const words = [];
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    if (element.closest("style, thead") && frame.dataset.width < 700) continue;
    const range = page.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width > 1 && box.height > 1) words.push({text: node.data.trim().slice(0, 40), box});
  }
  for (const {text, box} of words)
    if (box.right > root.clientWidth + 1 || box.left < -1) wrong.push(`"${text}" is cut`);
  for (let i = 0; i < words.length; i++)
    for (let j = i + 1; j < words.length; j++) {
      const a = words[i].box, b = words[j].box;
      const over = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (over > 2 && down > 4) wrong.push(`"${words[i].text}" and "${words[j].text}" overlap`);
    }
  for (const element of page.querySelectorAll("*"))
    if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible"
        && element.clientWidth > 1)
      wrong.push(`${element.tagName} ${element.className} hides ${element.scrollWidth - element.clientWidth} px`);
  found[frame.title] = wrong.slice(0, 12);
}
document.body.innerHTML = "<pre id=found></pre>";
document.getElementById("found").textContent = JSON.stringify(found);
"""


def browser() -> str | None:
    """The browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def look(executable: str, pages: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """What is wrong with each page at each width, by `page at width`. On paper it has the style of print."""
    frames = [
        f'<iframe title="{name} at {width}" data-width="{width}" width="{width}" height="3000"'
        f' srcdoc="{html.escape(_printed(text) if width == PAPER else text)}"></iframe>'
        for name, text in pages.items()
        for width in (PHONE, PAPER, SCREEN)
    ]
    document = folder / "frames.html"
    script = f"<script>addEventListener('load', () => {{ {_LOOK} }})</script>"
    document.write_text(f"<!doctype html><body>{''.join(frames)}{script}", encoding="utf-8")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--dump-dom")
    ran = subprocess.run([executable, *options, document.as_uri()], capture_output=True, text=True, timeout=120)
    answer = re.search(r'<pre id="found">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert answer is not None, f"the browser answered nothing: {ran.stderr[-500:]}"
    found: dict[str, list[str]] = json.loads(html.unescape(answer[1]))
    assert len(found) == len(frames)
    return found


def _printed(text: str) -> str:
    return text.replace("@media print", "@media all").replace("@media screen and", "@media speech and")
