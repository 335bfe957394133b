// Reads the CSV files of MovieLens (ml-latest-small, ml-latest, ml-25m) into a data set.
#pragma once

#include <cstdint>
#include <string>

#include "seminar/data/dataset.h"

namespace seminar::inline SEMINAR_PRECISION {

struct MovielensOptions {
  uint64_t seed = 1;          ///< of the draws that give behaviours a made query
  double query_share = 0.26;  ///< share of all behaviours that get a query, typed or made, in [0, 1]
};

/// Reads ratings.csv, movies.csv and tags.csv in `src_dir`. Every rating is an interaction; an item's words are its
/// title's, its attributes the genres and the decade. Where a user tagged a movie that they rated, the latest tag is
/// the query; of the other behaviours a seeded share gets a made query of the movie's genres and decade that shares no
/// word with its title. Users with fewer than three ratings and movies that nobody left rated are left out;
/// import_counts says how many, and how many queries were typed and made. Throws Error `file:line: what: value` for a
/// bad row.
RawData import_movielens(const std::string& src_dir, const MovielensOptions& options);

}  // namespace seminar::inline SEMINAR_PRECISION
