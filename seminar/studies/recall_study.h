// How many of the exact top K each way of retrieval finds: on drawn vectors as in the paper's Figure 2, and on the
// vectors of a trained model as in its Table 4.
#pragma once

#include "seminar/retrieval/quantized_model.h"

namespace seminar::inline SEMINAR_PRECISION {

struct RecallSettings {
  int64_t seed = 1;
  int64_t draws = 30;
  std::vector<int64_t> lengths{2000, 5000, 10000};
  std::vector<int64_t> ks{32, 64, 128, 256};
  int64_t corpus = 20000;  ///< vectors (behaviours) that rivals, and in Figure 2 the corpus codebooks, are trained on
  int64_t steps = 1500;    ///< of RQ-VAE's training
};

/// One line of the result: recall |found ∩ exact| / K of a method, its standard error over the draws, the mean time of
/// one search, and memory of the first pass.
struct RecallRow {
  std::string setting, method;
  int64_t length = 0, k = 0;
  double recall = 0, error = 0, microseconds = 0, bytes = 0;
};

/// Told {done, total} searches' worth of work; may throw to stop.
using StudyProgress = std::function<void(int64_t done, int64_t total)>;

struct Figure2Settings : RecallSettings {
  int64_t dim = 16, sub_quantizers = 16, centroids = 256;  ///< as in the authors' code; the paper states 64, 8, 512
};

/// Four channels of i.i.d. vectors per draw: unit length, or N(μ, 1) with μ = ¼, ½, 1, 2 ("different norms"); weights
/// equal or .1 .2 .3 .4. "own" codebooks are trained on the searched vectors themselves, as the authors do; "corpus"
/// ones on other draws of the same distribution.
std::vector<RecallRow> study_figure2(const Figure2Settings& settings, const StudyProgress& progress);

struct Table4Settings : RecallSettings {
  int64_t sub_quantizers = 8, centroids = 512;
  double candidates = 2;  ///< of the exact second pass, times K
};

/// Histories of L behaviours put together from users whose behaviours the codebooks never saw; targets are theirs too.
std::vector<RecallRow> study_table4(const SeminarModel& model, const Dataset& data, const Table4Settings& settings,
                                    const StudyProgress& progress);

}  // namespace seminar::inline SEMINAR_PRECISION
