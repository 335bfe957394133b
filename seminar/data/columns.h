// Which column stands for what: as the user says, or by the names that such columns have everywhere. And the form of a
// column's values, found out from the first of them, so that one form holds for all.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "seminar/data/table.h"
#include "seminar/data/time.h"

namespace seminar {

struct ColumnRole {
  const char* name;
  std::vector<std::string_view> usual;  ///< names, in small letters, without signs between words
  bool required = false, several = false;
};

/// Columns by role.
class ColumnMap {
 public:
  /// `given` holds texts like "user=uid,item=sku"; roles that it leaves open are looked for by their usual names.
  /// Throws Error, naming `flag`, for an unknown role, a column that is not there, a required role that no column or
  /// more than one might have.
  ColumnMap(const Table& table, std::span<const ColumnRole> roles, std::span<const std::string> given,
            const std::string& flag);
  std::optional<std::size_t> one(const std::string& role) const;
  std::vector<std::size_t> all(const std::string& role) const;
  void add(const std::string& role, std::size_t column) { columns_[role].push_back(column); }
  /// The role of a column, empty if it has none.
  std::string role(std::size_t column) const;

 private:
  std::map<std::string, std::vector<std::size_t>> columns_;
};

/// A condition on rows: `column=a|b` or `column!=a|b`.
class RowCondition {
 public:
  RowCondition(const Table& table, const std::string& text);
  bool holds(const Table& table) const;

 private:
  std::size_t column_;
  bool equal_ = true;
  std::vector<std::string> values_;
};

/// The unit of a column of times: what `given` names (seconds, milliseconds, microseconds, nanoseconds, iso, day-first,
/// month-first), or what all of `sample` can be. Throws Error with both readings if there are two, `place` is for
/// messages.
TimeUnit find_time_unit(std::span<const std::string> sample, const std::string& given, const std::string& place);

/// How numbers are written.
enum class NumberForm { point, comma };
/// By `given` (point, comma) or by the sample: "12,5" has a decimal comma, "1,234.5" a decimal point. Throws Error with
/// both readings if it could be either.
NumberForm find_number_form(std::span<const std::string> sample, const std::string& given, const std::string& place);
/// The number in a text, without the signs of currencies and the marks of thousands; empty if it is none.
std::optional<double> number_in(std::string_view text, NumberForm form);

}  // namespace seminar
