#include "seminar/runtime/failure.h"

#include <cstdarg>
#include <cstdio>

namespace seminar::runtime {
namespace {

thread_local char line[512] = "";

}  // namespace

seminar_status failed(seminar_status status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (char* c = line; *c != 0; ++c)
    if (*c == '\n' || *c == '\r') *c = ' ';
  return status;
}

const char* last_failure() { return line; }

}  // namespace seminar::runtime
