#!/usr/bin/env bash
# Lays out what a container image gets beyond its base: image.sh FOLDER; run through env.sh after make build, in a
# container of that base (the Dockerfile does).
#   opt/orrery/bin, lib      the binary and our native libraries
#   opt/orrery/torch, nvidia the libraries of libtorch, when it is the one we fetched; a Python torch of the base stays
#                            where it is. On a base with CUDA's libraries those of the GPU too, and what they need beyond it.
#   opt/orrery/licenses      the texts of all of these
#   workspace                which any user may write to
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/setup/lib.sh
. "$here/lib.sh"

out=$1
opt=$out/opt/orrery
[ ! -e "$out" ] || die "$out exists; image.sh lays out a new folder"
mkdir -p "$opt/licenses"
install -d -m 1777 "$out/workspace"

"$here/bundle.sh"
bundle=$root/build/bundle/orrery-torch-$TORCH
cp -r "$bundle/bin" "$bundle/lib" "$bundle/LICENSE" "$bundle/NOTICE.md" "$opt/"

# on_base NAME: whether the base's loader knows a library whose name begins so, in capitals or not.
on_base() { ldconfig -p | awk -v name="${1,,}" 'index(tolower($1), name) == 1 { found = 1 } END { exit !found }'; }

# take LIBRARY: copies it and, where torch has them, those that it is linked to. Real folders as in the wheels: torch's
# libraries find the others by ../../nvidia.
declare -A taken
missing=()
take() {
  local folder path="" needed
  [ -z "${taken[$1]:-}" ] || return 0
  taken[$1]=yes
  for folder in "${wheels[@]}"; do
    path=$(find "$folder/torch/lib" "$folder/nvidia" -name "$1" -print -quit 2>/dev/null || true)
    [ -z "$path" ] || break
  done
  if [ -z "$path" ]; then
    on_base "$1" || missing+=("$1")
    return 0
  fi
  install -D -m 755 "$path" "$opt/${path#"$folder"/}"
  strip --strip-unneeded "$opt/${path#"$folder"/}" # a fifth of libtorch_cpu is names of functions that nobody links to
  while read -r needed; do
    take "$needed"
  done < <(objdump -p "$path" | awk '$1 == "NEEDED" { print $2 }')
}

# licences NAME FOLDER DEPTH: ships the texts that lie in FOLDER.
licences() {
  local texts text
  texts=$(find "$2" -maxdepth "$3" -type f -iregex '.*/\(un\)?\(licen[cs]e\|copying\|notice\|copyright\)[^/]*')
  [ -n "$texts" ] || die "$1 has no licence text to ship in $2"
  mkdir -p "$opt/licenses/$1"
  while read -r text; do
    cp "$text" "$opt/licenses/$1/"
  done <<<"$texts"
}

# fetch_cuda: the wheels of the libraries that torch names beside the CUDA toolkit and the base lacks, as torch pins them.
fetch_cuda() {
  local wheel name python folder
  python=$("$here/python.sh" fetch)/bin/python
  while read -r wheel; do
    name=${wheel#nvidia-} name=${name%%-cu[0-9]*}
    ! on_base "lib$name" || continue
    say "$wheel, which the base lacks"
    "$python" -m pip install --disable-pip-version-check --quiet --no-deps --no-compile --only-binary :all: --upgrade \
      --target "${wheels[1]}" "$wheel" >&2 || die "could not fetch $wheel with pip"
    # Whole, since cuDNN and NVSHMEM open parts of themselves by name.
    folder=${wheels[1]}/nvidia/$name/lib
    [ -d "$folder" ] || die "$wheel has no nvidia/$name/lib"
    mkdir -p "$opt/nvidia/$name/lib"
    find "$folder" -name '*.so*' -exec cp -P {} "$opt/nvidia/$name/lib/" \;
  done < <(sed -n 's/^Requires-Dist: \(nvidia-[a-z]*-cu[0-9]*==[0-9.]*\).*/\1/p' "${wheels[0]}"/torch-*.dist-info/METADATA)
}

if [[ $TORCH_DIR != "$cache"/* ]]; then
  kind="the base's own libtorch $TORCH in $TORCH_DIR"
else
  kind="libtorch $TORCH for the CPU"
  wheels=("$(dirname "$TORCH_DIR")" "$cache/tmp/image-cuda")
  take libtorch_cpu.so
  if on_base libcublas.so; then
    kind="libtorch $TORCH for CPU and GPU"
    mkdir -p "${wheels[1]}"
    fetch_cuda
    for library in libtorch_cuda.so libtorch_cuda_linalg.so libcaffe2_nvrtc.so; do
      take "$library"
    done
  fi
  for info in "${wheels[0]}"/*.dist-info "${wheels[1]}"/*.dist-info; do
    [ -d "$info" ] || continue
    licences "$(basename "$info" .dist-info)" "$info" 2
  done
fi
[ ${#missing[@]} -eq 0 ] ||
  die "libtorch $TORCH needs ${missing[*]}, which neither its wheels nor the base have; take a BASE with the CUDA runtime libraries it was built for"

# What is linked into the binary.
cp /usr/share/doc/libturbojpeg0-dev/copyright "$opt/licenses/libjpeg-turbo"
while read -r module folder; do
  licences "go/$module" "$folder" 1
done < <(cd "$root" && go list -deps -f '{{with .Module}}{{if and .Version .Dir (not .Replace)}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/orrery | sort -u)
# Go's own: PyPI's Go lacks the text, but the parts of Go that lie in it as modules have the same.
cp "$(go env GOROOT)/src/vendor/golang.org/x/net/LICENSE" "$opt/licenses/go/LICENSE"
chmod -R u=rwX,go=rX "$opt"

# The libraries are found where they will lie, none of them in our cache, which the image lacks.
env -u ORRERY_LIB -u LIBTORCH "$opt/bin/orrery" doctor >&2
for library in "$opt"/lib/*.so "$opt"/torch/lib/*.so; do
  [ -e "$library" ] || continue
  found=$(ldd "$library")
  ! grep -E "not found|$cache/" <<<"$found" || die "$library would not find the libraries above in the image"
done
say "image: $kind; $(du -sm "$opt" | cut -f 1) MiB in $opt"
