// The ranks of this program: those that mpirun started, in a build with SEMINAR_MPI (world_mpi.cpp); else one
// (world.cpp).
#pragma once

#include "seminar/distributed/communicator.h"

namespace seminar {

/// Meets the other ranks; call first. Throws Error if there are others that this build cannot talk to.
void join_world();
/// The ranks; one before join_world().
Communicator& world();
/// Whether this rank prints and writes files.
inline bool leads() { return world().rank() == 0; }
/// Whether this rank is the first that asks this. It is answered whatever the other ranks are doing.
bool speaks_first();
/// Parts from the others when all are done.
void leave_world();
/// Ends all ranks now, the whole program with exit code `code`; returns only if there is one rank.
void abort_world(int code);

}  // namespace seminar
