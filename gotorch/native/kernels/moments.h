// Mean and variance of numbers that are seen in parts.
#pragma once

namespace gotorch::kernels {

// How many numbers, their mean, and the sum of their squared deviations from it.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  // Joins another part: Chan, Golub and LeVeque's formula. No digits are lost to cancellation,
  // however far the two means lie from each other or from zero.
  void join(const Moments& other) {
    const double all = count + other.count, apart = other.mean - mean;
    if (all == 0) return;
    squares += other.squares + apart * apart * count * other.count / all;
    mean += apart * other.count / all;
    count = all;
  }
};

}  // namespace gotorch::kernels
