# What each target does: make help. The work is done by scripts/; the versions are in versions.mk.
include versions.mk

# The libtorch to build and test against; empty: whichever the set-up finds ($LIBTORCH, a Python torch, the pin).
TORCH ?=
export TORCH
env := scripts/setup/env.sh

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## this list
	@echo "make TARGET [TORCH=$(LIBTORCH_NEWEST)], where TARGET is one of"
	@sed -n 's/^\([a-z0-9-]*\):.*## /  \1\t/p' Makefile | expand -t 16

.PHONY: setup setup-test
setup: ## get what a build needs: compilers, Go, libtorch
	@scripts/setup/system.sh build
	@$(env) true

setup-test: ## get what the tests and linters need, too
	@scripts/setup/system.sh test
	@scripts/setup/python.sh test >/dev/null
	@scripts/setup/axe.sh
	@$(env) scripts/setup/tools.sh

.PHONY: build native
build: native ## set-up, then bin/orrery with its libraries
	@$(env) scripts/setup/orrery.sh

native: setup
	@$(env) scripts/setup/native.sh

.PHONY: cuda
cuda: native ## build/torch-VERSION/libcgotorch_cuda.so: kernels and graphs for GPUs; needs none (fetches a 300 MB compiler)
	@$(env) scripts/setup/cuda.sh

.PHONY: train
train: build ## set-up and build, then train on the planets; a report at the end
	@$(env) bin/orrery train planets

.PHONY: test lint format
test: setup-test build ## set-up and build, then every linter and every test
	@$(env) scripts/setup/cuda.sh --if-there
	@$(env) scripts/check/lint.sh; linted=$$?; $(env) scripts/check/test.sh && exit $$linted

format: setup-test ## put Go and C++ sources into their form
	@$(env) scripts/check/lint.sh --format

lint: setup-test native ## the linters alone
	@$(env) scripts/check/lint.sh

.PHONY: bench
bench: build ## how fast each device trains, with floors and costs; what a call from Go costs beside C++
	@$(env) bin/orrery bench
	@cd gotorch && ../$(env) go test -buildvcs=false -run '^$$' -bench . .

.PHONY: race asan tsan leaks no-avx2 fuzz torture
race: setup-test native ## every test with Go's race detector
	@$(env) scripts/check/test.sh -race

asan: setup-test ## gotorch's tests with the native library under AddressSanitizer and UndefinedBehaviorSanitizer
	@CGT_ASAN=1 $(env) scripts/setup/native.sh
	@CGT_ASAN=1 $(env) scripts/check/asan.sh

tsan: native ## the kernels' passes under ThreadSanitizer, and under valgrind where it is installed
	@$(env) scripts/check/passes.sh

leaks: setup-test native ## gotorch's tests with every live tensor listed: one that outlives them fails
	@cd gotorch && ../$(env) go test -buildvcs=false -count=1 -tags leaks ./...

no-avx2: build ## a few steps of training on an emulated CPU without AVX (installs qemu-user)
	@scripts/setup/system.sh emulator
	@$(env) scripts/check/no_avx2.sh

fuzz: setup-test native ## every fuzz test, FUZZTIME=30s each
	@$(env) scripts/check/fuzz.sh $(FUZZTIME)

torture: setup-test build ## the tests in their long form
	@ORRERY_LONG=1 $(env) scripts/check/test.sh -timeout 2h

.PHONY: peers golden
peers: ## the Python frameworks we are measured against, in the user's cache
	@scripts/setup/python.sh peers

golden: peers ## make the golden files of the tests anew, with PyTorch, fastai and torchvision
	@$(env) scripts/check/golden.sh

.PHONY: check-bare
check-bare: ## make train and make test in a chroot with only git, make and ca-certificates (BARE=options)
	@scripts/check/bare.sh $(BARE)

.PHONY: bundle bundle-check
bundle: build ## build/bundle: binary, libraries and launcher for machines that have a Python torch (with make cuda's, where it was made)
	@$(env) scripts/setup/cuda.sh --if-there
	@$(env) scripts/setup/bundle.sh

bundle-check: bundle peers ## the bundle on a machine that has a Python torch and nothing else: trains and predicts
	@$(env) scripts/check/bundle.sh "$$(scripts/setup/python.sh peers)/bin/python"

IMAGE ?= orrery
.PHONY: image image-check
image: ## a container image (IMAGE=name; BASE=cpu, or an image to build on; without, NVIDIA's CUDA)
	@scripts/setup/container.sh $(IMAGE) $(BASE)

image-check: ## the CPU image for real (GPU=1: the one for GPUs), on a Debian made by debootstrap; then train in it (needs root)
	@scripts/setup/system.sh image
	@scripts/check/image.sh $(if $(GPU),--gpu)

.PHONY: launch-check
launch-check: ## the launch files, read by SkyPilot, dstack and Kubeflow themselves (0.6 GB of Python packages)
	@"$$(scripts/setup/python.sh launch)/bin/python" scripts/check/launch.py

.PHONY: clean
clean: ## remove what was built; the user's cache stays
	rm -rf bin build lib
