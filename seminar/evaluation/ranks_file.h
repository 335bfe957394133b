// Where each user's positive stands, on disk: what `seminar compare` compares models by.
#pragma once

#include <string>

#include "seminar/evaluation/metrics.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Writes users, above, ties and negatives as safetensors, atomically; the metadata hold the model's name and the
/// protocol.
void save_ranks(const UserRanks& ranks, const std::string& model, const std::string& path);
/// Reads them; throws Error if the file is damaged or of another format. AUC and calibration are not kept.
UserRanks load_ranks(const std::string& path);

/// Throws Error naming what differs unless both rank the same candidates of the same users, and read histories of the
/// same L and K where both read histories.
void check_comparable(const UserRanks& a, const std::string& a_path, const UserRanks& b, const std::string& b_path);

}  // namespace seminar::inline SEMINAR_PRECISION
