// The one way in which the runtime fails: a status for the caller and a line for seminar_last_error(). The runtime has
// no exceptions, no fmt and no locale: it has to fit in a device and in a browser.
#pragma once

#include "seminar/runtime/seminar.h"

namespace seminar::runtime {

/// Keeps the line for this thread and returns `status`.
seminar_status failed(seminar_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

/// The line that was kept last.
const char* last_failure();

}  // namespace seminar::runtime
