#include "tensor/io/print.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace seminar {
namespace {

// errno of the first failure of standard output and of all other streams.
std::atomic<int> failures[2];

void remember(std::FILE* stream, bool ok) noexcept {
  int none = 0;
  if (!ok) failures[stream == stdout ? 0 : 1].compare_exchange_strong(none, errno != 0 ? errno : EIO);
}

}  // namespace

void write_text(std::FILE* stream, std::string_view text) noexcept {
  errno = 0;
  remember(stream, std::fwrite(text.data(), 1, text.size(), stream) == text.size());
}

int flush_text(std::FILE* stream) noexcept {
  errno = 0;
  remember(stream, std::fflush(stream) == 0);
  return failures[stream == stdout ? 0 : 1];
}

void reserve_standard_streams() noexcept {
  for (int fd = 0; fd <= 2; ++fd)
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
      // Open the wrong way round, so that reading or writing fails as if it were closed. open() takes the lowest one.
      [[maybe_unused]] const int opened = ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    }
}

}  // namespace seminar
