// Compares what ../nvjpeg_calls.h declares with NVIDIA's own header; nothing of it is code.
#include <nvjpeg.h>

#include <cstddef>

#include "../nvjpeg_calls.h"

namespace gotorch::nvjpeg {

namespace {

// Whether two functions take and return values of the same sizes.
template <typename R, typename... A, typename S, typename... B>
constexpr bool alike(R (*)(A...), S (*)(B...)) {
  static_assert(sizeof...(A) == sizeof...(B), "another number of arguments");
  return sizeof(R) == sizeof(S) && ((sizeof(A) == sizeof(B)) && ...);
}

template <typename Ours, typename Theirs>
constexpr bool same(Theirs* theirs) {
  return alike(static_cast<Ours*>(nullptr), theirs);
}

static_assert(same<GetProperty>(nvjpegGetProperty));
static_assert(same<CreateSimple>(nvjpegCreateSimple));
static_assert(same<Destroy>(nvjpegDestroy));
static_assert(same<StateCreate>(nvjpegJpegStateCreate));
static_assert(same<StateDestroy>(nvjpegJpegStateDestroy));
static_assert(same<GetImageInfo>(nvjpegGetImageInfo));
static_assert(same<Decode>(nvjpegDecode));
static_assert(same<BatchedInitialize>(nvjpegDecodeBatchedInitialize));
static_assert(same<DecodeBatched>(nvjpegDecodeBatched));

static_assert(sizeof(Image) == sizeof(nvjpegImage_t));
static_assert(offsetof(Image, pitch) == offsetof(nvjpegImage_t, pitch));
static_assert(kSuccess == NVJPEG_STATUS_SUCCESS && kRGBI == NVJPEG_OUTPUT_RGBI);
static_assert(kMajor == MAJOR_VERSION && kMinor == MINOR_VERSION && kPatch == PATCH_LEVEL);

}  // namespace

}  // namespace gotorch::nvjpeg
