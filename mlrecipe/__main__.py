"""`python -m mlrecipe`."""

from mlrecipe.cli.app import main

main()
