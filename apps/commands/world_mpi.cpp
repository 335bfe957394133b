// MPI stays in this file. Only bytes are handed to it: sums are the callers', in an order that MPI does not promise.
#include <mpi.h>

#include <cstdlib>
#include <memory>
#include <numeric>

#include "apps/commands/world.h"
#include "tensor/error.h"

namespace seminar {
namespace {

void called(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail("mpi: {}: {}", what, text);
}

// MPI counts bytes in an int.
int mpi_count(int64_t bytes) {
  check(bytes <= INT32_MAX, "mpi: a message of {} bytes: more than MPI can send at once; use a smaller --batch", bytes);
  return static_cast<int>(bytes);
}

class MpiWorld : public Communicator {
 public:
  MpiWorld() {
    int provided = 0, rank = 0, size = 1;
    called(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    check(provided >= MPI_THREAD_FUNNELED, "mpi: cannot be used beside threads");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    rank_ = rank;
    size_ = size;
    called(MPI_Win_allocate(rank == 0 ? sizeof(int) : 0, sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &asked_, &window_),
           "MPI_Win_allocate");
    if (rank == 0) *asked_ = 0;
    MPI_Win_lock_all(MPI_MODE_NOCHECK, window_);
    MPI_Win_sync(window_);
    called(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
  }
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }

  // Counts the ranks that asked, in a number of rank 0's that all can reach whatever they are doing.
  bool first_to_ask() {
    const int one = 1;
    int before = 0;
    MPI_Fetch_and_op(&one, &before, MPI_INT, 0, 0, MPI_SUM, window_);
    MPI_Win_flush(0, window_);
    return before == 0;
  }
  void leave() {
    MPI_Win_unlock_all(window_);
    MPI_Win_free(&window_);
    MPI_Finalize();
  }

  std::vector<std::string> all_gather(std::string_view mine) override {
    const int64_t own = std::ssize(mine);
    std::vector<int64_t> bytes(static_cast<std::size_t>(size_));
    called(MPI_Allgather(&own, 1, MPI_INT64_T, bytes.data(), 1, MPI_INT64_T, MPI_COMM_WORLD), "MPI_Allgather");
    const Layout to = layout(bytes);
    std::string all(static_cast<std::size_t>(to.total), 0);
    called(MPI_Allgatherv(mine.data(), mpi_count(own), MPI_BYTE, all.data(), to.counts.data(), to.starts.data(),
                          MPI_BYTE, MPI_COMM_WORLD),
           "MPI_Allgatherv");
    sent_ += (own + int64_t{sizeof own}) * (size_ - 1);
    return cut(all, to);
  }

  std::vector<std::string> all_to_all(std::span<const std::string> parts) override {
    std::vector<int64_t> give, get(parts.size());
    std::string out;
    for (const std::string& part : parts) {
      give.push_back(std::ssize(part));
      out += part;
    }
    called(MPI_Alltoall(give.data(), 1, MPI_INT64_T, get.data(), 1, MPI_INT64_T, MPI_COMM_WORLD), "MPI_Alltoall");
    const Layout from = layout(give), to = layout(get);
    std::string in(static_cast<std::size_t>(to.total), 0);
    called(MPI_Alltoallv(out.data(), from.counts.data(), from.starts.data(), MPI_BYTE, in.data(), to.counts.data(),
                         to.starts.data(), MPI_BYTE, MPI_COMM_WORLD),
           "MPI_Alltoallv");
    sent_ += from.total - give[static_cast<std::size_t>(rank_)] + int64_t{sizeof(int64_t)} * (size_ - 1);
    return cut(in, to);
  }

  int64_t start_all_to_all(const void* send, void* receive, int64_t bytes) override {
    called(
        MPI_Ialltoall(send, mpi_count(bytes), MPI_BYTE, receive, mpi_count(bytes), MPI_BYTE, MPI_COMM_WORLD, ticket()),
        "MPI_Ialltoall");
    sent_ += bytes * (size_ - 1);
    return std::ssize(requests_) - 1;
  }

  int64_t start_all_gather(void* blocks, int64_t bytes) override {
    called(MPI_Iallgather(MPI_IN_PLACE, 0, MPI_BYTE, blocks, mpi_count(bytes), MPI_BYTE, MPI_COMM_WORLD, ticket()),
           "MPI_Iallgather");
    sent_ += bytes * (size_ - 1);
    return std::ssize(requests_) - 1;
  }

  void wait(int64_t at) override {
    called(MPI_Wait(&requests_[static_cast<std::size_t>(at)], MPI_STATUS_IGNORE), "MPI_Wait");
    while (!requests_.empty() && requests_.back() == MPI_REQUEST_NULL) requests_.pop_back();
  }

  void progress() override {
    int done = 0;
    for (MPI_Request& r : requests_)
      if (r != MPI_REQUEST_NULL) called(MPI_Test(&r, &done, MPI_STATUS_IGNORE), "MPI_Test");
  }

 private:
  struct Layout {
    std::vector<int> counts, starts;
    int64_t total = 0;
  };
  static Layout layout(const std::vector<int64_t>& bytes) {
    Layout l;
    for (const int64_t n : bytes) {
      l.counts.push_back(mpi_count(n));
      l.starts.push_back(mpi_count(l.total));
      l.total += n;
    }
    return l;
  }
  static std::vector<std::string> cut(const std::string& all, const Layout& l) {
    std::vector<std::string> parts;
    for (std::size_t r = 0; r < l.counts.size(); ++r)
      parts.push_back(all.substr(static_cast<std::size_t>(l.starts[r]), static_cast<std::size_t>(l.counts[r])));
    return parts;
  }
  // A place for a request; tickets stay valid, for only finished ones at the end go.
  MPI_Request* ticket() {
    requests_.push_back(MPI_REQUEST_NULL);
    return &requests_.back();
  }

  int64_t rank_ = 0, size_ = 1;
  int* asked_ = nullptr;
  MPI_Win window_ = MPI_WIN_NULL;
  std::vector<MPI_Request> requests_;
};

std::unique_ptr<MpiWorld>& joined() {
  static std::unique_ptr<MpiWorld> one;
  return one;
}

}  // namespace

// Without mpirun MPI is not started: nothing is waited for, and nothing can go wrong with it.
void join_world() {
  for (const char* sign : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (!joined() && std::getenv(sign)) joined() = std::make_unique<MpiWorld>();
}

Communicator& world() {
  if (joined()) return *joined();
  return alone();
}

bool speaks_first() { return !joined() || joined()->first_to_ask(); }

void leave_world() {
  if (!joined()) return;
  joined()->leave();
  joined().reset();
}

void abort_world(int code) {
  if (joined()) MPI_Abort(MPI_COMM_WORLD, code);
}

}  // namespace seminar
