#!/usr/bin/env bash
# Builds baryon and runs every GPU test and benchmark, most important first, within ten minutes and
# without downloads, on a machine whose python3 has CuPy and PyTorch. Writes gpu-report/report.md
# and report.json.
#
#   benchmarks/gpu/run_all.sh [--wheels FOLDER] [--no-build] [options of python -m benchmarks.gpu]
#
# --wheels FOLDER   installs these wheels (e.g. nvidia-cudnn-frontend) into a folder of its own first
# --section NAME    only one section; --device cpu tries it all on a stand-in, in tiny sizes
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
begun=$SECONDS
python=${PYTHON:-python3}
build=1
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-build) build=0 ;;
    --wheels)
      site=$(mktemp -d)
      "$python" -m pip install -q --no-index --no-deps --target "$site" "$2"/*.whl || exit 1
      export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
      shift
      ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
export PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH}
if [ $build = 1 ]; then
  if ! timeout 200 "$python" setup.py -q build_ext --inplace; then
    echo "the native engine does not build here; going on without it"
    export BARYON_NO_NATIVE=1
  fi
fi
exec "$python" -m benchmarks.gpu --budget $((585 - SECONDS + begun)) \
  ${arguments[@]+"${arguments[@]}"}
