// faiss at the bench's work, in a process of its own: reads a method's name a line, answers with microseconds of a
// search for one target and its recall.
//   faiss_rival VECTORS.safetensors K
#include <faiss/IndexFlat.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexRefine.h>
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tensor/io/safetensors.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  omp_set_num_threads(1);
  const seminar::SafetensorsFile file(argv[1]);
  const seminar::Tensor keys = file.tensor("keys"), targets = file.tensor("targets");
  const int d = static_cast<int>(keys.size(1));
  const int64_t k = std::atoi(argv[2]), n = targets.size(0);
  faiss::IndexFlatIP flat(d);
  flat.add(keys.size(0), keys.data());
  faiss::IndexPQFastScan scan(d, 64, 4, faiss::METRIC_INNER_PRODUCT);
  scan.train(keys.size(0), keys.data());
  faiss::IndexRefineFlat refined(&scan);
  refined.add(keys.size(0), keys.data());
  refined.k_factor = 2;
  std::vector<float> distances(static_cast<std::size_t>(k));
  std::vector<faiss::Index::idx_t> labels(static_cast<std::size_t>(k));
  for (std::string method; std::getline(std::cin, method);) {
    const faiss::Index& index = method == "flat" ? static_cast<const faiss::Index&>(flat) : refined;
    double seconds = 0, share = 0;
    for (int64_t t = 0; t < n; ++t) {
      const float* target = targets.data() + t * d;
      flat.search(1, target, k, distances.data(), labels.data());
      const std::set<faiss::Index::idx_t> exact(labels.begin(), labels.end());
      const auto begin = std::chrono::steady_clock::now();
      index.search(1, target, k, distances.data(), labels.data());
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      for (const auto label : labels) share += static_cast<double>(exact.count(label)) / static_cast<double>(k);
    }
    std::printf("%.3f %.4f\n", 1e6 * seconds / static_cast<double>(n), share / static_cast<double>(n));
    std::fflush(stdout);
  }
}
