"""A page as a reader of HTML sees it: its texts, and everything that it could load or lead to."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link", "base", "embed", "source", "track", "wbr"}
LOADING = {
    "src", "href", "srcset", "xlink:href", "data", "action", "formaction", "poster", "background",
    "cite", "ping", "manifest", "longdesc", "profile", "codebase", "classid", "archive", "dynsrc",
    "lowsrc", "imagesrcset", "usemap", "icon",
}  # fmt: skip
FORBIDDEN = {
    "script", "link", "base", "iframe", "frame", "object", "embed", "applet", "form", "audio", "video",
    "source", "track", "portal", "image", "use", "feimage", "foreignobject", "animate", "set",
}  # fmt: skip
IN_STYLE = re.compile(r"url\(|@import|image-set|src\(|expression\(|-moz-binding|@font-face", re.I)
ADDRESS = re.compile(r"(?:https?|ftp|file|ws|wss|javascript|blob):|^\s*//", re.I)


class Page(HTMLParser):
    """A page; `problems` are what leads out of it, and tags that do not nest."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.ids: set[str] = set()
        self.policy = ""
        self._links: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        self.problems += [f"link to {name!r}" for name in self._links if name not in self.ids]
        self.problems += [f"<{tag}> is not closed" for tag in self._open]

    @property
    def text(self) -> str:
        """All texts, each with spaces around it."""
        return " ".join(self.texts)

    def handle_starttag(self, tag, attrs):
        """Look at a tag's attributes."""
        self._look(tag, dict(attrs))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """A tag that closes itself."""
        self._look(tag, dict(attrs))

    def handle_endtag(self, tag):
        """The one that was opened last ends."""
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes another tag")

    def handle_data(self, data):
        """A text, or the style sheet."""
        if self._open and self._open[-1] == "style":
            if IN_STYLE.search(data):
                self.problems.append("the style sheet loads something")
        elif data.strip():
            self.texts.append(data.strip())

    def _look(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tags.append(tag)
        if "id" in attributes:
            self.ids.add(str(attributes["id"]))
        if tag in FORBIDDEN:
            self.problems.append(f"there is a <{tag}>")
        if tag == "meta" and attributes.get("http-equiv"):
            if attributes["http-equiv"] == "Content-Security-Policy":
                self.policy = str(attributes["content"])
            else:
                self.problems.append(f"meta {attributes['http-equiv']}")
        for name, value in attributes.items():
            self._look_at(tag, name, value or "")

    def _look_at(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self.problems.append(f"<{tag} {name}> runs something")
        if name == "style" and IN_STYLE.search(value):
            self.problems.append(f"the style of <{tag}> loads something")
        if name == "href" and value.startswith("#"):
            self._links.append(value[1:])
        elif name in LOADING and not value.startswith("data:image/png;base64,"):
            self.problems.append(f"<{tag} {name}={value!r}>")
        if name not in {"content", "title", "aria-label"} and ADDRESS.search(value):
            self.problems.append(f"<{tag} {name}> holds an address")
