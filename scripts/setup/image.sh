#!/usr/bin/env bash
# Lays out what a container image gets beyond its base: image.sh cuda|cpu FOLDER; run through env.sh after make build, in a
# container of that base (the Dockerfile does). For cuda it builds our library for GPUs, too.
#   opt/orrery/bin, lib      the binary and our native libraries
#   opt/orrery/torch, nvidia the libraries of libtorch, when it is the one we fetched; a Python torch of the base stays
#                            where it is. For cuda those of the GPU, too, and of NVIDIA's those that the base lacks.
#   opt/orrery/licenses      the texts of all of these
#   workspace                which any user may write to
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/setup/lib.sh
. "$here/lib.sh"

device=$1 out=$2
[[ $device = cuda || $device = cpu ]] || die "DEVICE=$device: expected cuda or cpu"
opt=$out/opt/orrery
[ ! -e "$out" ] || die "$out exists; image.sh lays out a new folder"
mkdir -p "$opt/licenses"
install -d -m 1777 "$out/workspace"

[ "$device" = cpu ] || "$here/cuda.sh"
"$here/bundle.sh"
bundle=$root/build/bundle/orrery-torch-$TORCH
cp -r "$bundle/bin" "$bundle/lib" "$bundle/LICENSE" "$bundle/NOTICE.md" "$opt/"

# on_base NAME: whether the base's loader knows a library of that name, or of one that goes on with a dot or a line, in capitals or not.
on_base() {
  ldconfig -p | awk -v name="${1,,}" 'index(tolower($1), name) == 1 && substr($1, length(name) + 1) ~ /^([._]|$)/ { found = 1 } END { exit !found }'
}

# take LIBRARY: ships it and those that it is linked to, where a wheel has them. Real folders as in the wheels: torch's
# libraries find the others by ../../nvidia.
declare -A taken
missing=()
take() {
  local folder path="" place needed
  # The driver's library comes into the container with the GPU.
  [ -z "${taken[$1]:-}" ] && [ "$1" != libcuda.so.1 ] || return 0
  taken[$1]=yes
  for folder in "${wheels[@]}"; do
    path=$(find "$folder/torch/lib" "$folder/nvidia" -name "$1" -print -quit 2>/dev/null || true)
    [ -z "$path" ] || break
  done
  if [ -z "$path" ]; then
    on_base "$1" || missing+=("$1")
    return 0
  fi
  place=$opt/${path#"$folder"/}
  mkdir -p "${place%/*}"
  if [[ $path = "$folder"/torch/* ]]; then
    install -m 755 "$path" "$place"
    strip --strip-unneeded "$place" # a fifth of libtorch_cpu is names of functions that nobody links to
  else
    ln "$path" "$place" 2>/dev/null || cp "$path" "$place" # NVIDIA's stay as they are, and take gigabytes
  fi
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

# take_cuda: the GPU's half of libtorch, and what it needs of NVIDIA's that the base lacks.
take_cuda() {
  local name only=() library
  # nvidia-cuda-nvrtc brings libnvrtc, nvidia-cudnn-cu13 libcudnn and its parts.
  while read -r name; do
    library=${name#nvidia-} library=lib${library#cuda-}
    on_base "${library%-cu[0-9]*}" || only+=("$name")
  done < <(pin "CUDA_LIBRARIES_$TORCH" | sed 's/==.*//')
  say "the base lacks ${only[*]:-none of the CUDA libraries}"
  ONLY="${only[*]}" ROOM=7000 "$here/wheels.sh" "${wheels[1]}" "CUDA_LIBRARIES_$TORCH" "CUDA library" nvidia/
  for library in libtorch_cuda.so libtorch_cuda_linalg.so libcaffe2_nvrtc.so libnvjpeg.so.13; do
    take "$library"
  done
  # cuDNN and NVRTC open parts of themselves by name.
  while read -r library; do
    take "$library"
  done < <(find "${wheels[1]}/nvidia" \( -path '*/cudnn/lib/*' -o -name 'libnvrtc-builtins.so*' \) -name '*.so*' -printf '%f\n' 2>/dev/null)
}

if [[ $TORCH_DIR != "$cache"/* ]]; then
  kind="the base's own libtorch $TORCH in $TORCH_DIR"
else
  kind="libtorch $TORCH for the CPU"
  wheels=("$(dirname "$TORCH_DIR")")
  infos=("${wheels[0]}"/*.dist-info)
  take libtorch_cpu.so
  if [ "$device" = cuda ]; then
    kind="libtorch $TORCH for CPU and GPU"
    wheels+=("$cache/cuda-libraries-$TORCH" "$cache/cuda-$TORCH") # of the last, nvJPEG
    take_cuda
    infos+=("${wheels[1]}"/*.dist-info "${wheels[2]}"/nvidia_nvjpeg-*.dist-info)
  fi
  for info in "${infos[@]}"; do
    [ -d "$info" ] || continue
    name=$(basename "$info" .dist-info) folder=$info
    # cuSPARSELt's lies with its libraries.
    [[ $name != nvidia_cusparselt_* ]] || folder=${info%/*}/nvidia/cusparselt
    licences "$name" "$folder" 2
  done
fi
[ ${#missing[@]} -eq 0 ] ||
  die "libtorch $TORCH needs ${missing[*]}, which neither its wheels nor the base have; take another BASE"

# What is linked into the binary.
cp /usr/share/doc/libturbojpeg0-dev/copyright "$opt/licenses/libjpeg-turbo"
while read -r module folder; do
  licences "go/$module" "$folder" 1
done < <(cd "$root" && go list -deps -f '{{with .Module}}{{if and .Version .Dir (not .Replace)}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/orrery | sort -u)
# Go's own: PyPI's Go lacks the text, but the parts of Go that lie in it as modules have the same.
cp "$(go env GOROOT)/src/vendor/golang.org/x/net/LICENSE" "$opt/licenses/go/LICENSE"
chmod -R u=rwX,go=rX "$opt"

# The libraries are found where they will lie, none of them in our cache, which the image lacks.
found=$(env -u ORRERY_LIB -u LIBTORCH GOTORCH_CUDA="$([ "$device" = cpu ] || echo load)" "$opt/bin/orrery" doctor)
printf '%s\n' "$found" >&2
[ "$device" = cpu ] || grep -qE '^cuda +available|; driver: ' <<<"$found" || die "the libraries for GPUs do not load"
while read -r library; do
  found=$(ldd "$library" | grep -v 'libcuda.so.1 => not found')
  ! grep -E "not found|$cache/" <<<"$found" || die "$library would not find the libraries above in the image"
done < <(find "$opt" -name '*.so*')
say "image: $kind; $(du -sm "$opt" | cut -f 1) MiB in $opt"
