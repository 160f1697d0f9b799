// BatchNorm over the batches of several processes (synchronised BatchNorm).
#ifndef GOTORCH_NATIVE_KERNELS_SYNC_H_
#define GOTORCH_NATIVE_KERNELS_SYNC_H_

#include <ATen/ATen.h>

#include <functional>
#include <vector>

namespace gotorch::kernels {

// The processes that synchronise, of which this is number rank. add_up adds a tensor up over all of
// them, in place; empty when each process is for itself.
struct Sync {
  std::function<void(const at::Tensor&)> add_up;
  int rank = 0, size = 1;
};
void set_sync(Sync s);
bool synchronised();

// Adds values up over all processes; does nothing when each process is for itself.
void add_up(std::vector<double>* values);

// The statistics of every process's rows together, from those of this process's count rows: the mean
// and the biased variance of each channel. Returns the rows of all processes.
double merge_statistics(double count, std::vector<double>* mean, std::vector<double>* variance);

// at::batch_norm; in training, over the batches of all processes.
at::Tensor batch_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const at::Tensor& running_mean, const at::Tensor& running_var, bool training,
                      double momentum, double eps);

}  // namespace gotorch::kernels

#endif  // GOTORCH_NATIVE_KERNELS_SYNC_H_
