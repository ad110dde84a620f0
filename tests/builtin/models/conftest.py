"""Small checkpoints, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from tests.training.tiny import write_tiny


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of two layers without a head; read only."""
    folder = write_tiny(tmp_path_factory.mktemp("checkpoint"))
    torch.manual_seed(0)
    BertModel(BertConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder
