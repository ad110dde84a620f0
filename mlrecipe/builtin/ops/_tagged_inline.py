"""Lines with tags between their words: `<author> A. Cau </author> <title> … </title>`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from mlrecipe.builtin.ops._files import Source, open_text
from mlrecipe.builtin.ops._tagged_rows import Kinds, Rows, words
from mlrecipe.errors import did_you_mean
from mlrecipe.tagging.layouts import TAGS, WORDS
from mlrecipe.tagging.schemes import OUTSIDE

_HINT = "mend the line, or name a tag that means nothing in `ignore`"
_TAG = re.compile(r"<(/?)([^\W\d][\w.:-]*)>")


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads files, and counts what is odd in those of a split."""

    tags: Collection[str] | None = None
    """Those there are; None: any."""

    ignore: Collection[str] = ()
    """Tags that are neither words nor mean anything."""

    keeps_outside: bool = True
    """Whether words outside of all tags stay."""

    encoding: str = "utf-8"
    words: int = field(default=0, init=False)
    """Words so far, those outside of all tags included."""

    outside: int = field(default=0, init=False)
    """Words outside of all tags so far."""

    joined: int = field(default=0, init=False)
    """Elements so far that follow one of the same tag with no word between."""

    def __call__(self, source: Source) -> tuple[Kinds, Rows]:
        """The columns, and the words of each line with their tags in IOB2."""
        return {WORDS: "words", TAGS: "words"}, self._rows(source)

    def _rows(self, source: Source) -> Rows:
        with open_text(source, encoding=self.encoding, newline="\n") as text:
            for number, line in enumerate(text, start=1):
                if line.strip():
                    yield self._row(source, number, line)

    def _row(self, source: Source, number: int, line: str) -> tuple[list[str], list[str]]:
        found: list[str] = []
        tags: list[str] = []
        before = ""
        for name, text in self._parts(source, number, line):
            some = words(text)
            self.words += len(some)
            if not some:
                continue
            self.outside += 0 if name else len(some)
            self.joined += bool(name) and name == before
            before = name
            if name:
                tags += [f"B-{name}", *[f"I-{name}"] * (len(some) - 1)]
            elif self.keeps_outside:
                tags += [OUTSIDE] * len(some)
            else:
                continue
            found += some
        return found, tags

    def _parts(self, source: Source, number: int, line: str) -> Iterator[tuple[str, str]]:
        """The tag, empty outside of all, and the text of each part of a line."""
        line = _TAG.sub(lambda tag: " " if tag[2] in self.ignore else tag[0], line)
        inside, start = "", 0
        for match in _TAG.finditer(line):
            is_end, name = bool(match[1]), match[2]
            self._check(source, number, match, line, inside=inside)
            yield inside, line[start : match.start()]
            inside, start = "" if is_end else name, match.end()
        if inside:
            raise source.error(f"<{inside}> is not closed", line=number, hint=_HINT)
        yield "", line[start:]

    def _check(
        self, source: Source, number: int, match: re.Match[str], line: str, *, inside: str
    ) -> None:
        tag, is_end, name = match[0], bool(match[1]), match[2]
        if self.tags is not None and name not in self.tags:
            raise source.error(
                f"{tag} is none of the tags", line=number, hint=did_you_mean(name, self.tags)
            )
        if is_end and name != inside:
            what = f"stands where </{inside}> is expected" if inside else "closes nothing"
            raise source.error(f"{tag} {what}", line=number, hint=_hint(name, line))
        if inside and not is_end:
            raise source.error(f"{tag} stands inside <{inside}>", line=number, hint=_HINT)


def _hint(name: str, line: str) -> str:
    """What to do about a tag's end without its beginning."""
    given = re.search(rf"<{re.escape(name)}\s[^<>]*>", line)
    return f"{given[0]} is no tag: tags have no attributes" if given else _HINT
