// What Go's side of the C interface adds: finding libcgotorch.so at run time, and the scope of the
// calling thread.
#ifndef GOTORCH_STUBS_H_
#define GOTORCH_STUBS_H_

#include "native/cgotorch.h"

// The slot of the scope that tensors born on this thread belong to; 0 means none.
extern _Thread_local int64_t gt_scope;
int64_t gt_swap_scope(int64_t slot);
int64_t gt_get_scope(void);

typedef struct {
  const char* name;
  void** pointer;
} gt_entry;

// Every function of the interface with the place of its address, ended by a NULL name.
extern const gt_entry gt_entries[];

// Opens a shared library; NULL on failure, with the reason in *err (static memory of the loader,
// valid until its next call on this thread).
void* gt_open(const char* path, int global, const char** err);

// The address of a symbol, NULL when the library has none.
void* gt_symbol(void* library, const char* name);

// Fills in the addresses of all functions; returns the name of the first missing one, or NULL.
const char* gt_bind(void* library);

// Calls a function of type const char*(void).
const char* gt_call_string(void* function);

#endif  // GOTORCH_STUBS_H_
