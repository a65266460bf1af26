"""What is wrong with the markup of a page, for whoever reads it by keyboard, by ear, on paper or in the dark."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "br", "hr", "img", "input", "link"}
LANDMARKS = ("header", "main", "footer")
READABLE = 4.5
"""The contrast of text that WCAG 2.2 asks for (success criterion 1.4.3)."""


class Page(HTMLParser):
    """A page's elements, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        """Name, attributes, and what it is within."""
        self.mistakes: list[str] = []
        self.feed(text)
        self.mistakes += [f"<{tag}> is never closed" for tag in self.open if tag != "p"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes what is not open")

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes, _ in self.elements if name == tag]


def mistakes(text: str) -> list[str]:
    """Everything that is wrong; empty if nothing is."""
    page = Page(text)
    found = [*page.mistakes, *_runs_or_fetches(page), *_landmarks(page), *_headings(page), *_tables(page)]
    found += [f"<{tag}> without words" for tag in ("img", "svg") for image in page.named(tag) if not _worded(image)]
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    found += [f"two elements have the id {name}" for name in {name for name in ids if ids.count(name) > 1}]
    labelled = [attributes.get("aria-labelledby") for _, attributes, _ in page.elements]
    found += [f"nothing has the id {name}" for name in labelled if name and name not in ids]
    return found + _fields(page)


def _runs_or_fetches(page: Page) -> list[str]:
    found = [f"<{tag}>" for tag in ("script", "link", "iframe", "object", "embed") if page.named(tag)]
    found += [
        f"{name} of <{tag}>"
        for tag, attributes, _ in page.elements
        for name, value in attributes.items()
        if name.startswith("on") or (name in ("src", "href", "xlink:href") and not value.startswith("#"))
    ]
    return found + ["@import" for _ in re.findall("@import", page.text)]


def _landmarks(page: Page) -> list[str]:
    counts = {
        tag: sum(name == tag and within == ("html", "body") for name, _, within in page.elements) for tag in LANDMARKS
    }
    languages = [attributes.get("lang") for attributes in page.named("html")]
    missing = [] if languages == ["en"] else ["the language is not told"]
    return missing + [f"{number} landmarks <{tag}>" for tag, number in counts.items() if number != 1]


def _headings(page: Page) -> list[str]:
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    found = [] if levels[:1] == [1] and levels.count(1) == 1 else [f"the first headings are {levels[:3]}"]
    return found + [f"h{after} follows h{before}" for before, after in pairwise(levels) if after > before + 1]


def _tables(page: Page) -> list[str]:
    found = [f"a <th> with scope {th.get('scope')}" for th in page.named("th") if th.get("scope") not in ("row", "col")]
    headless = len(page.named("table")) - len(page.named("thead"))
    return found + ([f"{headless} tables without a head"] if headless else [])


def _fields(page: Page) -> list[str]:
    labelled = {label["for"] for label in page.named("label") if "for" in label}
    return [
        f"a field {attributes.get('name')} without a label"
        for tag, attributes, within in page.elements
        if tag in ("input", "textarea") and attributes.get("type") != "hidden"
        if attributes.get("id") not in labelled and "label" not in within
    ]


def _worded(image: dict[str, str]) -> bool:
    return bool(image.get("alt") or image.get("aria-label") or image.get("aria-hidden") == "true")


def unreadable(text: str, pairs: list[tuple[str, str]]) -> list[str]:
    """The pairs of colours, ink on ground, by their variables, that can't be read in one of the page's palettes."""
    return [
        f"{ink} on {ground} has {contrast:.1f} in palette {number}"
        for number, palette in enumerate(palettes(text))
        for ink, ground in pairs
        if (contrast := _contrast(palette[ink], palette[ground])) < READABLE
    ]


def palettes(text: str) -> list[dict[str, str]]:
    """The colours of a page by their variables: light, dark, and where there is one paper."""
    return [
        dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    ]


def _contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
