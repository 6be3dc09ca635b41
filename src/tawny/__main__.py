"""`python -m tawny` is `tawny`."""

from tawny.cli import main

if __name__ == "__main__":
    main()
