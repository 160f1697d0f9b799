// The entry points of nvJPEG that native/nvjpeg.cpp calls, by TurboJPEG and in the processor's memory. The first pixel of
// what it decodes is 1, 2, 3, so that a test sees who decoded; a file with the comment REFUSED is one it cannot decode.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum { OK, NOT_INITIALIZED, INVALID, BAD, UNSUPPORTED, NO_MEMORY, FAILED };
enum { RGBI = 5 };

typedef struct {
  unsigned char *channel[4];
  size_t pitch[4];
} image;
typedef struct {
  int batch;
  int broken;
} state;

int nvjpegGetProperty(int property, int *value) {
  *value = property + 97;
  return OK;
}

int nvjpegCreateSimple(void **handle) {
#ifdef NO_GPU
  return FAILED;
#endif
  *handle = tjInitDecompress();
  return OK;
}

int nvjpegDestroy(void *handle) { return tjDestroy(handle); }

int nvjpegJpegStateCreate(void *handle, void **s) {
  *s = calloc(1, sizeof(state));
  return OK;
}

int nvjpegJpegStateDestroy(void *s) {
  free(s);
  return OK;
}

int nvjpegGetImageInfo(void *handle, const unsigned char *data, size_t length, int *components,
                       int *subsampling, int *widths, int *heights) {
  int colours;
  if (tjDecompressHeader3(handle, data, length, widths, heights, subsampling, &colours)) return BAD;
  *components = colours == TJCS_GRAY ? 1 : colours == TJCS_CMYK || colours == TJCS_YCCK ? 4 : 3;
  return OK;
}

static int decode(void *handle, state *s, const unsigned char *data, size_t length, image *out) {
  int width, height, subsampling, colours;
  if (s->broken) return NOT_INITIALIZED;
  if (memmem(data, length, "REFUSED", 7) ||
      tjDecompressHeader3(handle, data, length, &width, &height, &subsampling, &colours) ||
      tjDecompress2(handle, data, length, out->channel[0], width, out->pitch[0], height, TJPF_RGB,
                    0)) {
    s->broken = 1;
    return BAD;
  }
  memcpy(out->channel[0], "\1\2\3", 3);
  return OK;
}

int nvjpegDecode(void *handle, void *s, const unsigned char *data, size_t length, int format,
                 image *out, void *stream) {
  return format == RGBI ? decode(handle, s, data, length, out) : INVALID;
}

int nvjpegDecodeBatchedInitialize(void *handle, void *s, int batch, int threads, int format) {
  if (format != RGBI || batch < 1 || threads < 1) return INVALID;
  ((state *)s)->batch = batch;
  return OK;
}

#ifndef NO_BATCHES
int nvjpegDecodeBatched(void *handle, void *s, const unsigned char *const *data,
                        const size_t *lengths, image *out, void *stream) {
  for (int i = 0; i < ((state *)s)->batch; i++) {
    int r = decode(handle, s, data[i], lengths[i], &out[i]);
    if (r) return r;
  }
  return ((state *)s)->batch ? OK : NOT_INITIALIZED;
}
#endif
