"""Images of Pillow as PNG files: the same pixels give the same bytes. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError

INSTALL = "pip install 'mlrecipe[images]'"

_KEPT = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""What Pillow writes as it is."""

_ALPHA = ("PA", "RGBa", "La")


def is_image(value: Any) -> bool:
    """Whether the value is an image of Pillow; does not import it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def encode(image: Any) -> bytes:
    """The image as a PNG file.

    CMYK, YCbCr and the like are converted to RGB; what a file said beside its pixels is left out.

    Raises:
        DataError: its pixels are numbers that PNG cannot hold.
    """
    if image.mode in ("F", "I") or (image.mode.startswith("I;16") and image.mode != "I;16"):
        raise DataError(
            f"an image of mode {image.mode!r} cannot be kept as PNG",
            hint='convert it first: image.convert("L")',
        )
    mode = image.mode if image.mode in _KEPT else "RGBA" if image.mode in _ALPHA else "RGB"
    plain = image.copy() if mode == image.mode else image.convert(mode)
    plain.info = {name: plain.info[name] for name in ("transparency",) if name in plain.info}
    content = io.BytesIO()
    plain.save(content, format="PNG")
    return content.getvalue()


def decode(content: bytes) -> Any:
    """The image of Pillow in a file's content; its pixels are read when they are asked for.

    Raises:
        DataError: it is no image, or Pillow is not installed.
    """
    try:
        return pillow().open(io.BytesIO(content))
    except OSError as error:  # Pillow's UnidentifiedImageError is one
        raise DataError("it is no image that Pillow knows") from error


def write(content: bytes, folder: Path) -> str:
    """Keep a PNG file in a folder under the name of its content, which is returned; equal ones are one."""
    name = f"{hashlib.sha256(content).hexdigest()}.png"
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{name}.{os.getpid()}")  # several processes may write the same
        part.write_bytes(content)
        os.replace(part, path)
    return name


def pillow() -> Any:
    """The module `PIL.Image`.

    Raises:
        DataError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("images need Pillow, which is not installed", hint=INSTALL) from error
    return Image
