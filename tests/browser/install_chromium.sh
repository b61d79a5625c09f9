#!/bin/sh
# The browser tests drive the system's Chromium. Where it is missing and we may install packages
# (a bare Debian machine, as root), install it; elsewhere those tests skip and say why.
command -v chromium >/dev/null 2>&1 && exit 0
command -v chromium-browser >/dev/null 2>&1 && exit 0
command -v google-chrome >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium for the browser tests"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-dejavu-core; } >/dev/null 2>&1 && exit 0
fi
echo "No Chromium here: the browser tests will be skipped (install the package 'chromium')"
