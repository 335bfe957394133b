// seminar serve
#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/serve/model_service.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct ServeArguments {
  std::string token_file, page_file;
  ServerOptions server;
  ModelServiceOptions model{"", false, 0, {1000, 100000, 10'000'000, 200'000, 16 << 20}, false};
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
  ServerOptions& o = a.server;
  if (!a.token_file.empty()) o.token = read_token(a.token_file);
  if (!a.page_file.empty()) o.page = read_file(a.page_file);
  o.address = listening_address(o.address);
  check(!o.token.empty() || is_loopback(o.address),
        "--address: {} can be reached from other machines: give a --token-file", o.address);
  ModelService service(a.model);
  const auto listening = [&](uint16_t port) {
    const bool v6 = o.address.find(':') != std::string::npos;
    print_error("listening on http://{}:{}\n", v6 ? "[" + o.address + "]" : o.address, port);
  };
  const auto reload = [&] {
    try {
      service.reload();
      print_error("{}: loaded anew: model {}\n", a.model.path, service.model());
    } catch (const std::exception& e) {
      print_error("{}; model {} stays\n", e.what(), service.model());
    }
  };
  serve(service, o, listening, reload);
}

}  // namespace

void add_serve_command(CLI::App& app) {
  auto a = std::make_shared<ServeArguments>();
  ServerOptions& o = a->server;
  ModelServiceOptions& m = a->model;
  CLI::App* command =
      app.add_subcommand("serve", "Answer ranking requests over HTTP: POST /rank, GET /healthz, GET /metrics");
  add_input(*command, "--model", m.path, "file of 'seminar export'; SIGHUP loads it anew")->required();
  command->add_flag("--map", m.map, "map the file instead of reading it: it must not be changed in place");
  add_option(*command, "--address", o.address,
             "IP address to listen on, or localhost; one of other machines needs a token");
  add_option(*command, "--port", o.port, "port (0: one that is free)");
  add_input(*command, "--token-file", a->token_file, "file with the token that 'Authorization: Bearer' must bring");
  add_input(*command, "--page", a->page_file, "HTML file that GET / answers, like one of 'seminar explore'");
  command->add_flag("--skip-unknown", m.skip_unknown, "say nothing about items that the model does not know");
  const auto number = [&](const char* name, auto& value, const char* help, double low, double high) {
    add_option(*command, name, value, help, {low, high});
  };
  number("--history", m.history, "behaviours that are kept of a user (0: as exported)", 0, 1000000);
  number("--threads", o.threads, "threads that rank", 1, 256);
  number("--queue", o.queue, "requests that wait to be ranked", 1, 65536);
  number("--max-connections", o.connections, "connections at once", 1, 65536);
  number("--max-body", o.body, "bytes of a request", 64, 1 << 30);
  number("--max-memory", o.memory, "bytes of requests and answers at once", 1 << 16, 1e12);
  number("--max-candidates", m.limits.candidates, "candidates of a request", 1, 1000000);
  number("--max-history", m.limits.history, "behaviours of a request", 1, 1000000);
  number("--max-work", m.limits.work, "candidates × k × heads of a request", 1, 1e12);
  number("--max-explained", m.limits.explained, "candidates × k × heads of a request with \"explain\"", 1, 1e9);
  number("--max-answer", m.limits.answer_bytes, "bytes of an answer", 64, 1 << 30);
  number("--timeout", o.seconds, "s for a request to come, then to be ranked, then for its answer to go", 0.1, 3600);
  command->footer("Example:\n  seminar serve --model ranking.safetensors --port 8080");
  command->callback([a] { run(*a); });
}

}  // namespace seminar
