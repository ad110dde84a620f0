"""How values become plain files: a class per kind of value."""
