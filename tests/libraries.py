"""The libraries that light modules do not import and that `make test-pythons` does without."""

HEAVY = (
    "torch",
    "torchmetrics",
    "transformers",
    "datasets",
    "pytorch_lightning",
    "lightning_fabric",
    "tokenizers",
    "safetensors",
    "pandas",
    "pyarrow",
    "numpy",
)
