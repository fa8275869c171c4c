"""`python -m asyncfix_cli`: starts the `asyncfix` that was installed together with this package."""

import os
import subprocess
import sys
import sysconfig


def find_program():
    """The path of the program.

    It lies where the scripts of this installation lie: those of the environment, of the user, or below the folder that
    `pip install --target` was given. Raises FileNotFoundError, with the places, where it is in none of them.
    """
    name = "asyncfix" + (sysconfig.get_config_var("EXE") or "")
    user = "nt_user" if os.name == "nt" else "posix_user"
    package = os.path.dirname(os.path.abspath(__file__))
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", scheme=user),
        os.path.join(os.path.dirname(package), "bin"),
    ]
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("asyncfix is not in " + ", ".join(folders))


def main():
    """Starts the program with the arguments of this process, in its place where the system can do that."""
    command = [find_program(), *sys.argv[1:]]
    if os.name == "nt":
        sys.exit(subprocess.run(command).returncode)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
