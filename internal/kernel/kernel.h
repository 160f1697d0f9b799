// The pixel work of packages data and augment: one picture in, one training sample out.
//
// Texels are RGBX, 4 bytes a pixel. Three stages, each with a scalar and an AVX2 form:
//   resize  Pillow's antialiased filters, 8 bits, horizontal pass then vertical pass;
//   area    adaptive average windows to 15 bits (255 becomes 32640); after a bilinear resize, both are
//           one filter (merged.h), whose rows are made as the sampling needs them;
//   sample  one projective sampling with reflection about pixel centres, then colour, then output.
#ifndef ORRERY_AUGMENT_KERNEL_H_
#define ORRERY_AUGMENT_KERNEL_H_

#include <stddef.h>
#include <stdint.h>

enum { ORR_F32 = 0, ORR_BF16 = 1, ORR_U8 = 2 };
enum { ORR_NCHW = 0, ORR_NHWC = 1 };
// The filters of the resize, Pillow's BILINEAR and BICUBIC.
enum { ORR_BILINEAR = 0, ORR_BICUBIC = 1 };
// The forms of the kernels, in rising order.
enum { ORR_SCALAR = 0, ORR_AVX2 = 1, ORR_AVX512 = 2 };
enum { ORR_OK = 0, ORR_NO_MEMORY = 1, ORR_BAD_JOB = 2 };

// orr_job says what happens to one picture. All sizes are in pixels.
typedef struct {
  // The crop of the source, whole pixels, inside the picture.
  int32_t crop_x, crop_y, crop_w, crop_h;
  // Pillow's resize of the crop; 0: none.
  int32_t item_w, item_h, filter;
  // Area resize of what came before; 0: none.
  int32_t area_w, area_h;
  // Output.
  int32_t out_w, out_h;
  int32_t layout, dtype;
  // Takes (column, row, 1) of an output pixel to homogeneous coordinates relative to (low_x, low_y).
  float homography[9];
  // The reflecting borders, in pixels of the picture that is sampled: coordinates fold into
  // [low, low + span].
  float low_x, low_y, span_x, span_y;
  // Lighting: sigmoid((logit(x) + offset) * gain); skipped when offset is 0 and gain is 1.
  float light_offset, light_gain;
  // Not 0: 15 bits of precision and 1/255 of error in the lighting are enough.
  int32_t quick;
  // Normalise: x * scale + shift per channel.
  float scale[3], shift[3];
} orr_job;

typedef struct orr_worker orr_worker;

// orr_worker_new makes the scratch memory of one thread, which uses no higher form than the given one;
// NULL when there is no memory.
orr_worker *orr_worker_new(int form);
void orr_worker_free(orr_worker *w);
// orr_best_form is the highest form that this machine runs.
int orr_best_form(void);

// orr_run makes one sample. pix is width*height RGBX pixels followed by at least 64 readable bytes.
// out holds 3*out_w*out_h elements of the job's dtype.
int orr_run(orr_worker *w, const uint8_t *pix, int32_t width, int32_t height, const orr_job *job,
            void *out);

// orr_finish is the last stage alone: scale and shift, layout and dtype, of three planes of
// out_w*out_h floats.
int orr_finish(orr_worker *w, const float *planes, const orr_job *job, void *out);

// orr_logit replaces n values by their logits, clamped to [1e-7, 1 - 1e-7] first; orr_sigmoid takes
// logits back. v has room for n rounded up to 8.
void orr_logit(orr_worker *w, float *v, int64_t n);
void orr_sigmoid(orr_worker *w, float *v, int64_t n);

// orr_resize is the first stage alone: out holds item_w*item_h RGBX pixels, X as the source has it,
// and 64 bytes behind them.
int orr_resize(orr_worker *w, const uint8_t *pix, int32_t width, int32_t height, const orr_job *job,
               uint8_t *out);

// orr_plane holds the samples of one component, a byte each, rows `pitch` bytes apart; 64 bytes behind
// the last one are readable. The picture is span_w by span_h samples, from the top left: of its last
// column and row it may have a part.
typedef struct {
  const uint8_t *pix;
  int32_t width, height, pitch;
  double span_w, span_h;
} orr_plane;

// orr_scale_planes scales Y, Cb and Cr, the latter of one size, to out_w*out_h by the triangle filter in
// 15 bits and writes RGBX, X 255. ORR_BAD_JOB also says that a plane is too much larger than that.
int orr_scale_planes(orr_worker *w, const orr_plane plane[3], int32_t out_w, int32_t out_h,
                     uint8_t *out);

#endif  // ORRERY_AUGMENT_KERNEL_H_
