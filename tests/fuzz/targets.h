// The readers of files that strangers made, each with whole inputs to start from. What they are given must be read or
// refused with an Error of one line.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace seminar {

struct FuzzTarget {
  const char* name;
  std::vector<std::string> seeds;                ///< inputs that are read
  std::function<void(const std::string&)> read;  ///< throws what the reader throws
};

/// Requests to the server; with Boost.Beast only.
FuzzTarget http_requests();

/// All targets. They keep their files in a folder that goes with the program.
std::vector<FuzzTarget>& fuzz_targets();
/// The target called `name`; throws Error for another name.
FuzzTarget& fuzz_target(const std::string& name);
/// Gives the target an input: true if it was read, false if it was refused. Throws Error for a refusal of more than one
/// line; anything else that the reader throws or does goes on.
bool try_input(const FuzzTarget& target, const std::string& input);

}  // namespace seminar
