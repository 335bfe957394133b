// seminar serve
#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/serve/server.h"
#include "tensor/io/file.h"

namespace seminar {
namespace {

struct ServeArguments {
  std::string model, token_file, page_file;
  ServerOptions options;
};

std::string read_token(const std::string& path) {
  std::string token = read_file(path, 4096);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  check(token.size() >= 16, "{}: a token of at least 16 characters is needed: {}", path, token.size());
  for (const char c : token)
    check(c > ' ' && c <= '~', "{}: the token holds a blank or a byte that is not ASCII", path);
  return token;
}

void run(ServeArguments& a) {
  if (!a.token_file.empty()) a.options.token = read_token(a.token_file);
  if (!a.page_file.empty()) a.options.page = read_file(a.page_file);
  check(!a.options.token.empty() || is_loopback(a.options.address),
        "--address: {} can be reached from other machines: give a --token-file", a.options.address);
  const ModelHandle model = open_model(a.model);
  const Ranking probe(model.get(), a.options.history, a.options.limits);  // wrong options show now
  serve(model.get(), a.options, [&](uint16_t port) {
    const bool v6 = a.options.address.find(':') != std::string::npos;
    fmt::print(stderr, "listening on http://{}:{}\n", v6 ? "[" + a.options.address + "]" : a.options.address, port);
  });
}

}  // namespace

void add_serve_command(CLI::App& app) {
  auto a = std::make_shared<ServeArguments>();
  ServerOptions& o = a->options;
  CLI::App* command =
      app.add_subcommand("serve", "Answer ranking requests over HTTP: POST /rank, GET /healthz, GET /metrics");
  command->add_option("--model", a->model, "file of 'seminar export'")->required();
  command->add_option("--address", o.address, "address to listen on; one of other machines needs a token")
      ->capture_default_str();
  command->add_option("--port", o.port, "port (0: one that is free)")->capture_default_str();
  command->add_option("--token-file", a->token_file, "file with the token that 'Authorization: Bearer' must bring");
  command->add_option("--page", a->page_file, "HTML file that GET / answers, like one of 'seminar explore'");
  const auto number = [&](const char* name, auto& value, const char* help, double low, double high) {
    command->add_option(name, value, help)->check(CLI::Range(low, high))->capture_default_str();
  };
  number("--history", o.history, "behaviours that are kept of a user (0: as exported)", 0, 1000000);
  number("--threads", o.threads, "threads that answer", 1, 256);
  number("--max-connections", o.connections, "connections at once", 1, 65536);
  number("--max-body", o.body, "bytes of a request", 64, 1 << 30);
  number("--max-candidates", o.limits.candidates, "candidates of a request", 1, 1000000);
  number("--max-history", o.limits.history, "behaviours of a request", 1, 1000000);
  number("--timeout", o.seconds, "s for a request to come and for its answer to go", 0.1, 3600);
  command->callback([a] { run(*a); });
}

}  // namespace seminar
