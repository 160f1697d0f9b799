// How a call of TurboJPEG ended.
#ifndef ORRERY_TURBOJPEG_OUTCOME_H_
#define ORRERY_TURBOJPEG_OUTCOME_H_

#include <string.h>
#include <turbojpeg.h>

// Libraries before 2.1 have no limit of scans.
#ifndef TJFLAG_LIMITSCANS
#define TJFLAG_LIMITSCANS 0
#endif

// orrery_tj_outcome returns 0 for rc 0, 1 for a warning or 2 for an error; msg receives the library's text.
static inline int orrery_tj_outcome(tjhandle h, int rc, char *msg, int msglen) {
  if (rc == 0) return 0;
  strncpy(msg, tjGetErrorStr2(h), msglen - 1);
  msg[msglen - 1] = 0;
  return tjGetErrorCode(h) == TJERR_WARNING ? 1 : 2;
}

#endif  // ORRERY_TURBOJPEG_OUTCOME_H_
