// The few entry points of nvJPEG that we call, as NVIDIA's nvjpeg.h declares them; cuda/nvjpeg_check.cpp compares. Declared here
// since libcgotorch.so is built where there is no CUDA.
#ifndef GOTORCH_NATIVE_NVJPEG_CALLS_H_
#define GOTORCH_NATIVE_NVJPEG_CALLS_H_

#include <stddef.h>

namespace gotorch::nvjpeg {

using Status = int;  // nvjpegStatus_t
using Handle = void*;
using State = void*;
using Stream = void*;  // cudaStream_t

struct Image {  // nvjpegImage_t
  unsigned char* channel[4];
  size_t pitch[4];  // bytes from a row to the next
};

constexpr Status kSuccess = 0;
constexpr int kRGBI = 5;                           // NVJPEG_OUTPUT_RGBI: R, G, B, R, G, B, ...
constexpr int kMajor = 0, kMinor = 1, kPatch = 2;  // libraryPropertyType

using GetProperty = Status(int property, int* value);
using CreateSimple = Status(Handle* handle);
using Destroy = Status(Handle handle);
using StateCreate = Status(Handle handle, State* state);
using StateDestroy = Status(State state);
using GetImageInfo = Status(Handle handle, const unsigned char* data, size_t length,
                            int* components, int* subsampling, int* widths, int* heights);
using Decode = Status(Handle handle, State state, const unsigned char* data, size_t length,
                      int format, Image* out, Stream stream);
using BatchedInitialize = Status(Handle handle, State state, int batch, int threads, int format);
using DecodeBatched = Status(Handle handle, State state, const unsigned char* const* data,
                             const size_t* lengths, Image* out, Stream stream);

}  // namespace gotorch::nvjpeg

#endif  // GOTORCH_NATIVE_NVJPEG_CALLS_H_
