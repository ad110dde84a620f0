"""The built-in ops: how data is loaded, chosen, changed and described."""
