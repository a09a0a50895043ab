"""Run the command `pofx` by `python -m pofx`, for an environment whose path has no script `pofx`."""

from pofx.cli.main import main

if __name__ == "__main__":
    main()
