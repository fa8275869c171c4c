#!/usr/bin/env bash
# Installs a wheel in the ways that people do, each in an environment of its own, and tries the command there.
#
#     tests/install/run.sh WHEEL
#
# It needs Python with pip and venv, uv, and pipx; $PYTHON names another Python than python3. Everything lies in one
# temporary folder with spaces in its name, and nothing is installed outside of it. Closes with `N passed, N failed`.
set -uo pipefail

if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo "usage: tests/install/run.sh WHEEL" >&2
    exit 2
fi
python=${PYTHON:-python3}
wheel=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
version=$(basename "$wheel" | cut -d- -f2)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
place="$top/a folder with spaces"
mkdir "$place"

# No settings of this user, no caches of other runs, and no Python that somebody would have to download.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_USER
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1 PIP_NO_CACHE_DIR=1
export PYTHONUSERBASE="$place/user"
export UV_CACHE_DIR="$place/uv/cache" UV_TOOL_DIR="$place/uv/tools" UV_TOOL_BIN_DIR="$place/uv/bin"
export UV_PYTHON_DOWNLOADS=never UV_NO_CONFIG=1 UV_NO_INDEX=1 UV_PYTHON
UV_PYTHON=$("$python" -c 'import sys; print(sys.executable, end="")')
# pipx itself warns of spaces in its folder, because scripts with `#!` cannot be started there; this one has none.
export PIPX_HOME="$place/pipx/home" PIPX_BIN_DIR="$place/pipx/bin" PIPX_MAN_DIR="$place/pipx/man"
export PIPX_DEFAULT_PYTHON="$UV_PYTHON" PIPX_FETCH_MISSING_PYTHON=never USE_EMOJI=0

# A project with one mistake, in a folder with a space as well.
project="$place/my project"
mkdir "$project"
printf 'import time\n\n\nasync def poll():\n    time.sleep(1)\n' > "$project/server.py"
printf 'import asyncio\n\n\nasync def poll():\n    await asyncio.sleep(1)\n' > "$place/fixed.py"

passed=0
failed=0

# check WHAT STATUS COMMAND...: the command ends with that status. What it printed stays in $output.
check() {
    local what=$1 wanted=$2 status=0
    shift 2
    output=$("$@" 2> "$place/errors") || status=$?
    if [ "$status" -eq "$wanted" ]; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s: exit status %s instead of %s\n%s\n' "$what" "$status" "$wanted" "$output"
        cat "$place/errors"
    fi
}

same() {
    [ "$1" = "$2" ] || { printf 'wanted:\n%s\nfound:\n%s\n' "$1" "$2"; return 1; }
}

# works NAME COMMAND...: the command is asyncfix: it says its version, finds the mistake with status 1, fixes it, and
# ends with 2 after an error.
works() {
    local name=$1
    shift
    check "$name: --version" 0 "$@" --version
    check "$name: the version is that of the wheel" 0 same "asyncfix $version" "${output%$'\r'}"
    check "$name: a mistake is found" 0 finds "$@"
    check "$name: a mistake is fixed" 0 fixes "$@"
    check "$name: an error" 0 fails "$@"
}

finds() {
    local text status=0
    text=$("$@" --isolated --output-format concise "$project/server.py") || status=$?
    same 1 "$status" && case $text in *AF201*) ;; *) same AF201 "$text" ;; esac
}

fails() {
    local text status=0
    text=$("$@" --isolated "$project/nothing.py" 2>&1) || status=$?
    same 2 "$status" && case $text in *"nothing.py: file not found"*) ;; *) same "file not found" "$text" ;; esac
}

fixes() {
    local text
    text=$("$@" --isolated --write --quiet --stdin-filename "$project/server.py" - < "$project/server.py") || return
    same "$(cat "$place/fixed.py")" "$text"
}

# The folder of an environment that its programs are in.
programs() {
    if [ -d "$1/Scripts" ]; then echo "$1/Scripts"; else echo "$1/bin"; fi
}

# Every file and folder below a folder.
files() {
    (cd "$1" && find . | LC_ALL=C sort)
}

# What an installation added at the top of the folder that Python imports from, apart from what describes it.
added() {
    comm -13 <(echo "$1" | tops) <(echo "$2" | tops)
}

tops() {
    sed -n -E 's#^\./([Ll]ib(/python[^/]*)?)/site-packages/([^/]+)$#\3#p' | grep -v '\.dist-info$' | LC_ALL=C sort
}

no_module() {
    "$1" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("asyncfix") is not None)'
}

missing() {
    [ ! -e "$1" ] || { echo "$1 is still there"; return 1; }
}

empty() {
    [ -z "$(ls -A "$1" 2> /dev/null)" ] || { ls -A "$1"; return 1; }
}

# pip, in a virtual environment.
environment="$place/pip"
"$python" -m venv "$environment"
bin=$(programs "$environment")
# Not to be told from what asyncfix leaves: the compiled files that pip has of itself after it ran.
"$bin/python" -m pip --version > /dev/null
export PYTHONDONTWRITEBYTECODE=1
before=$(files "$environment")
check "pip: install" 0 "$bin/python" -m pip install "$wheel"
after=$(files "$environment")
check "pip: only asyncfix_cli can be imported" 0 same asyncfix_cli "$(added "$before" "$after")"
check "pip: no module asyncfix" 0 no_module "$bin/python"
works "pip" "$bin/asyncfix"
works "pip, python -m" "$bin/python" -m asyncfix_cli
unset PYTHONDONTWRITEBYTECODE
# Leaves a compiled file, as it does for users.
works "pip, python -m, compiled" "$bin/python" -m asyncfix_cli
export PYTHONDONTWRITEBYTECODE=1
check "pip: check" 0 "$bin/python" -m pip check
check "pip: uninstall" 0 "$bin/python" -m pip uninstall --yes asyncfix-cli
check "pip: uninstall leaves nothing" 0 same "$before" "$(files "$environment")"

# pip, where the program is not among the scripts of the Python that looks for it.
check "pip --target: install" 0 "$bin/python" -m pip install --target "$place/target" "$wheel"
works "pip --target, python -m" env PYTHONPATH="$place/target" "$bin/python" -m asyncfix_cli
check "pip --prefix: install" 0 "$bin/python" -m pip install --prefix "$place/prefix" "$wheel"
packages=$(cd "$place/prefix" && find "$PWD" -type d -name site-packages)
works "pip --prefix, python -m" env PYTHONPATH="$packages" "$bin/python" -m asyncfix_cli
# Elsewhere pip refuses `--user`, or needs to be forced to it.
environment="$place/pip user"
"$python" -m venv --system-site-packages "$environment"
bin=$(programs "$environment")
check "pip --user: install" 0 "$bin/python" -m pip install --user "$wheel"
works "pip --user, python -m" "$bin/python" -m asyncfix_cli

# The package without the program: an error, and not the status that says that mistakes were found.
mkdir "$place/lost"
cp -R "$place/target/asyncfix_cli" "$place/lost"
check "no program" 2 env PYTHONPATH="$place/lost" PYTHONUSERBASE="$place/nobody" "$bin/python" -m asyncfix_cli --version

# uv.
check "uv: tool install" 0 uv tool install "$wheel"
works "uv" "$UV_TOOL_BIN_DIR/asyncfix"
bin=$(programs "$UV_TOOL_DIR/asyncfix-cli")
works "uv, python -m" "$bin/python" -m asyncfix_cli
check "uv: no module asyncfix" 0 no_module "$bin/python"
check "uv: tool uninstall" 0 uv tool uninstall asyncfix-cli
check "uv: tool uninstall leaves no environment" 0 missing "$UV_TOOL_DIR/asyncfix-cli"
check "uv: tool uninstall leaves no command" 0 empty "$UV_TOOL_BIN_DIR"
works "uvx" uvx --quiet --from "$wheel" asyncfix

# pipx.
check "pipx: install" 0 pipx install "$wheel"
works "pipx" "$PIPX_BIN_DIR/asyncfix"
bin=$(programs "$PIPX_HOME/venvs/asyncfix-cli")
works "pipx, python -m" "$bin/python" -m asyncfix_cli
check "pipx: no module asyncfix" 0 no_module "$bin/python"
check "pipx: uninstall" 0 pipx uninstall asyncfix-cli
check "pipx: uninstall leaves no environment" 0 missing "$PIPX_HOME/venvs/asyncfix-cli"
check "pipx: uninstall leaves no command" 0 empty "$PIPX_BIN_DIR"
works "pipx run" pipx run --spec "$wheel" asyncfix

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
