"""`python -m mlrecipe`."""

from mlrecipe.cli.entry import main

main()
