// A file mapped read-only, shared between processes.
#pragma once

#include <cstddef>

#include "seminar/runtime/failure.h"

namespace seminar::runtime {

struct MappedBytes {
  const std::byte* data = nullptr;
  std::size_t size = 0;
  bool mapped = false;  ///< false: somebody else's memory
};

/// Maps the file at `path`.
seminar_status map_file(const char* path, MappedBytes& out);
/// Ends the mapping, if it is one.
void unmap(const MappedBytes& file);

}  // namespace seminar::runtime
