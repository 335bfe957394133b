// MovieLens latest-small: ratings.csv, movies.csv and tags.csv as one data set. Every rating counts as an interaction.
#pragma once

#include <string>

#include "seminar/data/dataset.h"

namespace seminar::inline SEMINAR_PRECISION {

struct MovielensOptions {
  uint64_t seed = 1;          ///< of the draw of made queries
  double query_share = 0.26;  ///< share of all behaviours that get a query; 0.26 is KuaiSAR's share of searches
};

/// Reads the folder `source`. An item's words are its title's, with the year as a word; its attributes are genres and
/// decade. A pair's query is the last tag that the user gave the movie; of the other pairs a seeded draw gets a made query,
/// words of one or two genres and the decade, never of the title, so that it does not identify the movie. Movies without
/// ratings and users with fewer than 3 ratings are left out. Throws Error `file:line: what: value` for malformed,
/// contradictory or repeated rows, and if no user is left.
RawData import_movielens(const std::string& source, const MovielensOptions& options);

}  // namespace seminar::inline SEMINAR_PRECISION
