#!/bin/sh
# Checks kubernetes.yaml against the schemas of Kubernetes (kubernetes-validate of PyPI, strictly: what no schema knows is an
# error), and the unit files with systemd-analyze, which must have nothing to say. A tool that is missing is named.
#
#   Cluster/validate.sh [FOLDER]
set -eu
folder=${1:-$(dirname "$0")}
status=0

if command -v kubernetes-validate >/dev/null; then
  for version in 1.28 1.31 1.37; do
    if output=$(kubernetes-validate --strict --kubernetes-version "$version" "$folder/kubernetes.yaml" 2>&1); then
      echo "kubernetes.yaml holds for Kubernetes $version: $(printf '%s\n' "$output" | grep -c ' passed ') resources."
    else
      printf '%s\n' "$output" | grep -v ' passed ' >&2
      status=1
    fi
  done
else
  echo "kubernetes.yaml is not checked: pip install kubernetes-validate"
fi

if command -v systemd-analyze >/dev/null; then
  units=$(mktemp -d)
  trap 'rm -r "$units"' EXIT
  for unit in "$folder"/*.service; do
    name=$(basename "$unit")
    # The program need not be installed here.
    sed "s|/usr/local/bin/clusca|$(command -v true)|" "$unit" >"$units/$name"
    # Some versions say what is wrong and succeed.
    complaints=$(systemd-analyze verify "$units/$name" 2>&1) || status=1
    if [ -n "$complaints" ]; then
      printf '%s\n' "$complaints" >&2
      status=1
    else
      exposure=$(systemd-analyze security --offline=yes --no-pager "$units/$name" | sed -n 's/.*level for [^:]*: \([0-9.]*\).*/\1/p')
      echo "$name is sound; exposure ${exposure:-unknown}."
    fi
  done
else
  echo "The unit files are not checked: systemd-analyze is missing."
fi
exit $status
