#define _GNU_SOURCE
#include "stubs.h"

#include <dlfcn.h>

_Thread_local int64_t gt_scope = 0;

int64_t gt_swap_scope(int64_t slot) {
  const int64_t before = gt_scope;
  gt_scope = slot;
  return before;
}

int64_t gt_get_scope(void) { return gt_scope; }

void* gt_open(const char* path, int global, const char** err) {
  // Lazy binding: a library built for another libtorch still opens, so its version can be read and
  // the mismatch be told in words.
  void* library = dlopen(path, RTLD_LAZY | (global ? RTLD_GLOBAL : RTLD_LOCAL));
  if (library == NULL) *err = dlerror();
  return library;
}

void* gt_symbol(void* library, const char* name) { return dlsym(library, name); }

const char* gt_bind(void* library) {
  for (const gt_entry* e = gt_entries; e->name != NULL; e++) {
    *e->pointer = dlsym(library, e->name);
    if (*e->pointer == NULL) return e->name;
  }
  return NULL;
}

const char* gt_call_string(void* function) { return ((const char* (*)(void))function)(); }
