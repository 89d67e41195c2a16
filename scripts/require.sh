#!/bin/sh
# Ends with one clear line when a tool is missing or too old.
set -u

fail() {
  echo "rootbridge: $1" >&2
  exit 1
}

command -v go >/dev/null || fail "go not found: install Go 1.26 or later"
command -v node >/dev/null || fail "node not found: install Node 20 or later"
command -v npm >/dev/null || fail "npm not found: install the npm that comes with Node 20 or later"

go=$(go env GOVERSION 2>&1) || fail "Go 1.26 or later is needed: $go"
node=$(node --version 2>&1) || fail "Node 20 or later is needed: $node"

minor=$(echo "$go" | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ -z "$minor" ] || [ "$minor" -ge 26 ] || fail "$go found: install Go 1.26 or later"
major=$(echo "$node" | sed -n 's/^v\([0-9]*\)\..*/\1/p')
[ "${major:-0}" -ge 20 ] || fail "Node $node found: install Node 20 or later"
