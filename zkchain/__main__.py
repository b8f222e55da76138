"""``python -m zkchain``."""

from zkchain.cli import main

main()
