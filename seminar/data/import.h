// Importers: from the files as they are published to a data folder. One source file per layout (import_*.cpp), listed
// in import.cpp; docs/data.md describes the layouts.
#pragma once

#include <fmt/format.h>

#include "seminar/data/csv.h"
#include "seminar/data/dataset_builder.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What the layout csv needs to know beside its files; what is left open is found out.
struct TableOptions {
  std::vector<std::string> more_files;                           ///< of behaviours, behind the first
  std::vector<std::string> columns, item_columns, user_columns;  ///< like "user=uid,item=sku"
  std::vector<std::string> where;                                ///< like "event=view|buy"
  std::string items, users;                                      ///< tables of items and users, if any
  std::string separator, time_form, decimal;                     ///< see find_time_unit, find_number_form
  bool dry_run = false;                                          ///< read all and tell, write nothing
};

struct ImportOptions {
  uint64_t seed = 1;  ///< of the made queries and of the order of behaviours at one time
  double query_share =
      -1;  ///< share of all behaviours that get a query, typed or made, in [0, 1]; -1: the layout's own
  Filter filter;
  int64_t skip_bad = 0;        ///< rows that may be unusable
  bool exposures = false;      ///< keep what was shown as well (kuaisar)
  bool paper_queries = false;  ///< amazon: queries from the item's own description, as the paper says; they leak
  TableOptions table;          ///< csv
  std::function<void(const std::string& path, int64_t rows, double share)> progress;
  std::function<void(const std::string& sentence)> tell;  ///< hears what was decided and what was left out
};

/// What an importer works with.
struct Import {
  Import(std::string src, const ImportOptions& with)
      : source(std::move(src)), options(with), policy(with.table.dry_run ? INT64_MAX : with.skip_bad) {
    policy.progress = with.progress;
  }
  std::string source;  ///< the folder or file given
  const ImportOptions& options;
  ReadPolicy policy;
  DatasetBuilder builder;

  /// `path`, plain or packed, noted in the manifest; empty if it is not there. Throws Error if it is there twice.
  std::string optional_path(const std::string& path);
  /// `name` in the source folder, plain or packed; throws Error if it is not there.
  std::string file(const std::string& name);
  /// The same, empty if it is not there.
  std::string optional_file(const std::string& name);
  /// The only file of the source folder whose name, without the ending of a packed file, is wanted; not noted yet.
  /// Errors call it a `kind` file, named like `pattern`, and say what to do with several ("name", "leave").
  std::string only_file(const char* kind, const char* pattern, const char* advice,
                        const std::function<bool(std::string_view name)>& wanted) const;
  /// Any path, noted in the manifest.
  std::string note(const std::string& path);
  /// Files beside those read that look like parts of the same data: nothing is left out in silence.
  std::vector<std::string> unread() const;
  template <class... Args>
  void tell(fmt::format_string<Args...> format, Args&&... args) const {
    if (options.tell) options.tell(fmt::format(format, std::forward<Args>(args)...));
  }
  void count(const std::string& name, int64_t n = 1) { builder.info.import_counts[name] += n; }
};

/// Calls row(lines) on every line of a text file that is not blank; bad rows go to the policy.
template <class Row>
void each_line(Import& in, const std::string& path, LineReader::Options options, const Row& row) {
  LineReader lines(path, in.policy, options);
  bool more = true;
  const auto step = [&] {
    more = lines.next_filled();
    if (more) row(lines);
  };
  while (more) in.policy.accept(step);  // NOLINT(bugprone-infinite-loop): step() ends it
}

/// Names of the layouts.
std::vector<std::string> import_kinds();

/// Reads `source` in the layout `kind` and writes the data folder `dir`. Rows are read one by one; behaviours of
/// one user are put in the order of their times, those at one time in a random order. Throws Error `file:line: what:
/// value`.
void import_dataset(const std::string& kind, const std::string& source, const std::string& dir,
                    const ImportOptions& options);

constexpr double default_query_share = 0.26;  ///< of made queries: KuaiSAR's share of search actions

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

/// Numbers of the items, collected row by row; what a row leaves out becomes the column's mean.
class NumericAttributes {
 public:
  /// As many values for each item, NaN for what is left out.
  void add(int32_t item, std::vector<float> values);
  void give_to(DatasetBuilder& builder);

 private:
  std::vector<double> total_;
  std::vector<int64_t> count_;
  std::vector<std::pair<int32_t, std::vector<float>>> rows_;
};

/// The field as a time in µs; throws BadRow if it is none, or not between 1970 and 2106.
int64_t checked_time(const CsvReader& csv, std::size_t column, TimeUnit unit);
/// The same of a text of a line.
int64_t checked_time(std::string_view text, TimeUnit unit, const std::string& name, const LineReader& lines,
                     int64_t line);
/// True for names that columns of times have.
bool names_time(std::string_view column);

void import_amazon(Import& in);
void import_csv(Import& in);
void import_kuaisar(Import& in);
void import_movielens(Import& in);
void import_recbole(Import& in);
void import_s3rec(Import& in);

/// Writes the data as RecBole atomic files NAME.inter, .item and .user into `dir`, which must be new; `query` and the
/// pieces of a title are token_seq columns. Throws Error if something cannot be written.
void export_recbole(const Dataset& data, const std::string& dir, const std::string& name);

}  // namespace seminar::inline SEMINAR_PRECISION
