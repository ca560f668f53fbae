"""`python -m fhvae` is the command `fhvae`."""

from fhvae.cli import main

if __name__ == "__main__":
    main()
