// Importers: from the files as they are published to a data folder. One source file per layout (import_*.cpp), listed
// in import.cpp; docs/data.md describes the layouts.
#pragma once

#include "seminar/data/csv.h"
#include "seminar/data/dataset_builder.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {

struct ImportOptions {
  uint64_t seed = 1;  ///< of the draws that give behaviours a made query
  double query_share =
      -1;  ///< share of all behaviours that get a query, typed or made, in [0, 1]; -1: the layout's own
  Filter filter;
  int64_t skip_bad = 0;        ///< rows that may be unusable
  bool exposures = false;      ///< keep what was shown as well (kuaisar)
  bool paper_queries = false;  ///< amazon: queries from the item's own description, as the paper says; they leak
  std::function<void(const std::string& path, int64_t rows, double share)> progress;
};

/// What an importer works with.
struct Import {
  Import(std::string src, const ImportOptions& with) : source(std::move(src)), options(with), policy(with.skip_bad) {
    policy.progress = with.progress;
  }
  std::string source;  ///< the folder or file given
  const ImportOptions& options;
  ReadPolicy policy;
  DatasetBuilder builder;

  /// Path of `name` or `name`.gz in the source folder, noted in the manifest; throws Error if neither is there.
  std::string file(const std::string& name);
  /// The same, empty if neither is there.
  std::string optional_file(const std::string& name);
  /// Any path, noted in the manifest.
  std::string note(const std::string& path);
  void count(const std::string& name, int64_t n = 1) { builder.info.import_counts[name] += n; }
};

/// Calls row(lines) on every line of a text file; bad rows go to the policy.
template <class Row>
void each_line(Import& in, const std::string& path, LineReader::Options options, const Row& row) {
  LineReader lines(path, in.policy, options);
  bool more = true;
  const auto step = [&] {
    more = lines.next();
    if (more) row(lines);
  };
  while (more) in.policy.accept(step);  // NOLINT(bugprone-infinite-loop): step() ends it
}

/// Names of the layouts.
std::vector<std::string> import_kinds();

/// Reads `source` in the layout `kind` and writes the data folder `dir`. Rows are read one by one; times of one user
/// are put in order, equal times keep the order of the file. Throws Error `file:line: what: value`.
void import_dataset(const std::string& kind, const std::string& source, const std::string& dir,
                    const ImportOptions& options);

/// What a made query for an item may consist of: one or two of `choice`, and `fixed` if it is not empty.
struct QueryPhrases {
  std::vector<std::string> choice;
  std::string fixed;
  bool empty() const { return choice.empty() && fixed.empty(); }
};
/// The words of `phrase` unless it is empty or shares a word with `title`: a query must not give the item away.
std::string query_phrase(std::string_view phrase, std::string_view title);
/// Gives behaviours without a query a made one of their item, so that the share of behaviours with a query is `share`;
/// the draw depends on the seed, the user and the behaviour's place only.
void make_queries(Import& in, double share, const std::function<const QueryPhrases&(int32_t item)>& phrases);

/// Unix time in s; throws BadRow through `reject` if it is negative.
int64_t checked_time(double seconds, const CsvReader& csv, std::size_t column);

void import_amazon(Import& in);
void import_kuaisar(Import& in);
void import_movielens(Import& in);
void import_recbole(Import& in);
void import_s3rec(Import& in);

/// Writes the data as RecBole atomic files NAME.inter, .item and .user into `dir`, which must be new; `query` and the
/// pieces of a title are token_seq columns. Throws Error if something cannot be written.
void export_recbole(const Dataset& data, const std::string& dir, const std::string& name);

}  // namespace seminar::inline SEMINAR_PRECISION
