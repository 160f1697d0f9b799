// The portable form of the work on planes.
#include "planes.h"

static int top(int v) { return v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v; }

static void lower(const uint8_t *const *rows, const int16_t *weight, int n, int bytes,
                  uint16_t *out) {
  for (int x = 0; x < bytes; x++) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += orr_high15(rows[i][x] << 7, weight[i]);
    out[x] = (uint16_t)sum;
  }
}

static void turn(const uint16_t *rows, size_t pitch, int n, uint16_t *columns) {
  for (int x = 0; x < n; x++)
    for (int r = 0; r < ORR_STRIP; r++) columns[ORR_STRIP * (size_t)x + r] = rows[pitch * r + x];
}

// Output o of row r.
static int sum(const orr_merged *m, const uint16_t *columns, int o, int r) {
  int s = 0;
  for (int i = 0; i < m->count[o]; i++)
    s += orr_high15(columns[ORR_STRIP * (size_t)(m->first[o] + i) + r],
                    m->weight[(size_t)o * m->width + i]);
  return s;
}

static uint8_t byte(int v) {
  v = top(v + 64) >> 7;
  return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

static void colours(const orr_merged *luma, const orr_merged *chroma,
                    const uint16_t *const columns[3], int rows, uint8_t *out, size_t pitch) {
  for (int o = 0; o < luma->out; o++) {
    for (int r = 0; r < rows; r++) {
      const int y = sum(luma, columns[0], o, r);
      const int cb = sum(chroma, columns[1], o, r) - ORR_NEUTRAL;
      const int cr = sum(chroma, columns[2], o, r) - ORR_NEUTRAL;
      uint8_t *p = out + pitch * r + 4 * (size_t)o;
      p[0] = byte(top(top(y + cr) + orr_high15(cr, ORR_RED)));
      p[1] = byte(top(top(y - orr_high15(cb, ORR_GREEN_B)) - orr_high15(cr, ORR_GREEN_R)));
      p[2] = byte(top(top(y + cb) + orr_high15(cb, ORR_BLUE)));
      p[3] = 255;
    }
  }
}

const orr_plane_ops orr_scalar_planes = {lower, turn, colours};
