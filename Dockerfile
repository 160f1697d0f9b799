# Orrery in a container: the project's own set-up builds it on BASE, and the final image is BASE with /opt/orrery and
# /workspace and nothing else. docs/container.md says how each kind is made and run.
#
#   DEVICE=cuda BASE=nvidia/cuda:...-runtime-...   GPU and CPU; what libtorch needs beyond the image's CUDA libraries comes
#                                                  with it, which on a Debian or Ubuntu without any is all of them
#   DEVICE=cuda BASE=.../nvidia/pytorch:...        PyTorch's image in NVIDIA's registry, whose own torch is used
#   DEVICE=cpu  BASE=debian:...-slim               CPU only, small
ARG DEVICE=cuda
ARG BASE=nvidia/cuda:13.0.2-runtime-ubuntu24.04

# The base is pinned where it is named: above, in versions.mk or by who gives it.
# hadolint ignore=DL3006
FROM ${BASE} AS build
ARG DEVICE
ARG VERSION=unknown
ARG COMMIT=unknown
ENV XDG_CACHE_HOME=/var/cache ORRERY_VERSION=${VERSION} ORRERY_COMMIT=${COMMIT}
# Versions are the distribution's, as in scripts/setup/system.sh, which installs the rest.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates make && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make build && scripts/setup/env.sh scripts/setup/image.sh "${DEVICE}" /image

# hadolint ignore=DL3006
FROM ${BASE}
ARG BASE
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="orrery" \
      org.opencontainers.image.description="Trains image classifiers from a folder of photos" \
      org.opencontainers.image.licenses="MIT AND BSD-3-Clause" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
# /opt/orrery and /workspace, which any user may write to.
COPY --from=build /image/ /
# Whatever user the container runs as, its home and its cache are in the place it may write to.
ENV PATH=/opt/orrery/bin:${PATH} HOME=/workspace
WORKDIR /workspace
USER 65532:65532
# A training that is stopped writes a checkpoint and ends with 143.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5m --timeout=1m --start-period=1m CMD ["/opt/orrery/bin/orrery", "doctor"]
ENTRYPOINT ["/opt/orrery/bin/orrery"]
CMD ["--help"]
