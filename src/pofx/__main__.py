"""`python -m pofx`: the command `pofx`, where no script of that name is on the path."""

from pofx.cli.main import main

if __name__ == "__main__":
    main()
