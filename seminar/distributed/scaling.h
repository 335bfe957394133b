// How long a step of N ranks takes, told from what one rank and one message take (docs/scaling.md).
#pragma once

#include "seminar/distributed/communicator.h"

namespace seminar {

/// Measured of one rank; times in s.
struct StepModel {
  double target = 0;     ///< forward and backward of one target
  double update = 0;     ///< clipping and Adam, a step
  double latency = 0;    ///< of a message
  double bandwidth = 1;  ///< bytes/s that a rank sends
  int64_t dense = 0;     ///< numbers of dense gradients, in `buckets` buckets
  int64_t buckets = 1;
  double rows = 0;     ///< distinct rows of embedding tables that a target brings to its rank's part of the batch
  int64_t width = 64;  ///< numbers of a row
  double table = 0;    ///< rows of all tables
  int64_t cores = 0;   ///< that all ranks share (0: enough)
};

struct StepTime {
  double compute = 0, dense = 0, rows = 0;  ///< s; rows: replicated or sharded, as asked
  double bytes = 0;                         ///< that a rank sends
  double memory = 0;                        ///< bytes of a rank's tables with Adam's moments
  double total() const { return compute + dense + rows; }
};

/// A step of `batch` targets on `ranks` ranks, nothing of it hidden behind backward. Tables are on every rank, as
/// GradientSum has them: every rank gets all rows of the step. Or `sharded` by id: a rank holds 1/N of them and gets
/// the rows that its own targets read before it computes, and sends their gradients back after.
StepTime predict(const StepModel& model, int64_t ranks, double batch, bool sharded);

/// Seconds of a short message and bytes/s of long ones, between all ranks at once, the best of a few trials.
struct Network {
  double latency, bandwidth;
};
/// Needs two ranks or more.
Network measure_network(Communicator& world);

}  // namespace seminar
