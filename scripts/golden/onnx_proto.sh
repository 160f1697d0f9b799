#!/usr/bin/env bash
# Makes export/internal/onnxpb/onnx.pb.go from the onnx.proto in the pinned onnx wheel; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
python=$("$root/scripts/setup/python.sh" proto)/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd / && GOBIN=$work go install "$(pin PROTOC_GEN_GO)")
"$python" -c 'import importlib.util, os; print(os.path.dirname(importlib.util.find_spec("onnx").origin))' >"$work/where"
cp "$(cat "$work/where")/onnx.proto" "$work/"
"$python" -m grpc_tools.protoc -I"$work" --plugin=protoc-gen-go="$work/protoc-gen-go" --go_out="$work" --go_opt=paths=source_relative \
  --go_opt=Monnx.proto=github.com/wangkuiyi/orrery/export/internal/onnxpb onnx.proto
cp "$work/onnx.pb.go" "$root/export/internal/onnxpb/onnx.pb.go"
