"""Reading Python without running it: signatures, digests of code, stamps of files."""
