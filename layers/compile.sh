#!/bin/sh
# Called by the layers' Makefiles: compiles a layer's sources for Lambda's Python 3.13.
#
# Without it, each cold start compiles every module again, because a layer cannot be written to. Of
# the three kinds only `unchecked-hash` works: the SAM CLI dates every file of its archive 1980,
# which makes byte code that depends on its source's time look outdated. The same sources give the
# same bytes: no times, no paths of this machine, a fixed hash seed. An empty PYTHONPYCACHEPREFIX
# counts as unset, so byte code is written next to the sources. A second argument names a module to
# run from the layer, which adds other build results.
set -eu
folder=$1
module=${2:-}

# Only the Python with the same magic number can use byte code: 3571 is every 3.13.
is_of_lambda() {
    "$1" -c 'import importlib.util as u, sys; sys.exit(u.MAGIC_NUMBER != b"\xf3\r\r\n")' 2>/dev/null
}

for python in "${KEYSCOPE_PYTHON_3_13:-}" "$(uv python find --no-project 3.13 2>/dev/null || true)" \
    python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13; do
    if [ -n "$python" ] && is_of_lambda "$python"; then
        PYTHONHASHSEED=0 PYTHONPYCACHEPREFIX='' "$python" -m compileall -q -f \
            --invalidation-mode unchecked-hash -s "$folder" -p /opt/python "$folder"
        [ -z "$module" ] || PYTHONPATH="$folder" "$python" -B -m "$module"
        exit
    fi
done
layer=${folder%/python}
echo "keyscope: no Python 3.13 is on this machine, so ${layer##*/} holds sources only: each cold" \
    "start will compile them. \`uv python install 3.13\` before the build mends it."
