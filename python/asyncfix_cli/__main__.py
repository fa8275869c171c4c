"""`python -m asyncfix_cli`: starts the `asyncfix` that was installed together with this package."""

import os
import subprocess
import sys
import sysconfig


def find_program():
    """The path of the program.

    It lies where the scripts of the installation lie that this package is part of: below the folder that
    `pip install --target` was given, in the environment or prefix, or with the scripts of this Python or the user.
    Raises FileNotFoundError, with the places, where it is in none of them.
    """
    name = "asyncfix" + (sysconfig.get_config_var("EXE") or "")
    is_windows = os.name == "nt"
    packages = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # Its packages are in Lib\site-packages there, and in lib/python3.x/site-packages elsewhere.
    above = (os.pardir,) * (2 if is_windows else 3)
    prefix = os.path.normpath(os.path.join(packages, *above))
    folders = [
        os.path.join(packages, "bin"),
        os.path.join(prefix, "Scripts" if is_windows else "bin"),
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", scheme="nt_user" if is_windows else "posix_user"),
    ]
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("the program is not in " + ", ".join(dict.fromkeys(folders)))


def main():
    """Starts the program with the arguments of this process, in its place where the system can do that."""
    try:
        command = [find_program(), *sys.argv[1:]]
    except FileNotFoundError as error:
        # As after every error; 1 would say that mistakes were found.
        print("error: {}".format(error), file=sys.stderr)
        sys.exit(2)
    if os.name == "nt":
        sys.exit(subprocess.run(command).returncode)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
