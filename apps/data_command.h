// The program's command `data`: import data sets and look at them.
#pragma once

namespace CLI {
class App;
}

namespace seminar {

/// Adds `data import KIND SRC --out DIR` and `data info DIR` to `app`. Their callbacks print to standard output and
/// throw Error.
void add_data_command(CLI::App& app);

}  // namespace seminar
