// 'seminar serve' from outside: answers, limits, hostile clients, load, the end.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "apps/serve/ranking.h"
#include "tensor/pool.h"
#include "tests/exported_model.h"
#include "tests/http_client.h"
#include "tests/program.h"

using namespace seminar;

namespace {

// A running server.
class Served {
 public:
  explicit Served(const ExportedModel& e, const std::string& options = "")
      : process_(fmt::format("serve --model {} --port 0 {}", e.path, options)) {
    process_.wait_for("\n");
    const std::string& line = process_.errors();
    const std::size_t at = line.rfind(':');
    REQUIRE(line.starts_with("listening on http://127.0.0.1:"));
    port_ = std::atoi(line.c_str() + at + 1);
  }
  ~Served() {
    if (running_) stop();
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  int port() const { return port_; }
  void signal() { process_.send(SIGTERM); }
  int wait() {
    running_ = false;
    return process_.wait();
  }
  int stop() {
    signal();
    return wait();
  }
  // One request on a connection of its own.
  HttpClient::Answer ask(std::string_view bytes) const {
    HttpClient client(port_);
    client.send(bytes);
    return client.receive();
  }
  double metric(const std::string& name) const {
    const std::string text = ask("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").body;
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
  }

 private:
  Running process_;
  bool running_ = true;
  int port_ = 0;
};

constexpr const char* request =
    R"({"history":["103","107",{"item":"111","query":"red"}],"candidates":["105","109"],"query":"blue"})";

std::string get(const std::string& path, const std::string& headers = "") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: here\r\n{}\r\n", path, headers);
}

std::string expected_answer(const ExportedModel& e, const std::string& text) {
  return Ranking(e.runtime.get(), 0, {}).answer(text) + "\n";
}

}  // namespace

TEST_SUITE("serve") {
  TEST_CASE("answers are those of 'seminar rank'; mistakes have their status and say what is wrong") {
    const ExportedModel e;
    Served server(e);
    HttpClient client(server.port());  // one connection for all
    for (int i = 0; i < 3; ++i) {
      client.send(rank_request(request));
      const HttpClient::Answer a = client.receive();
      CHECK(a.status == 200);
      CHECK(a.head.find("Content-Type: application/json") != std::string::npos);
      CHECK(a.body == expected_answer(e, request));
    }
    const auto check_answer = [&](const std::string& bytes, int status, const std::string& body) {
      CAPTURE(bytes);
      client.send(bytes);
      const HttpClient::Answer a = client.receive();
      CHECK(a.status == status);
      CHECK(a.body.find(body) != std::string::npos);
    };
    check_answer(get("/healthz"), 200, "ok\n");
    check_answer(rank_request("{}"), 400, R"({"error":"request: no candidates"})");
    check_answer(rank_request(""), 400, "not valid JSON");
    check_answer(rank_request(R"({"candidates":["x"]})"), 400, R"(candidates[0]: no item \"x\" in the model)");
    check_answer(get("/rank"), 405, "use POST");
    check_answer(get("/nothing"), 404, "no such path");
    check_answer(get("/../etc/passwd"), 404, "no such path");
    check_answer(get("/"), 404, "no such path");
    check_answer(get("/metrics"), 200, "seminar_requests_total{status=\"400\"} 3\n");
    check_answer(rank_request(request) + rank_request(request), 200, "scores");  // two at once
    CHECK(client.receive().body == expected_answer(e, request));
    CHECK(server.metric("seminar_rank_seconds_count") == 5);
    CHECK(server.metric("seminar_candidates_total") == 10);
    CHECK(server.stop() == 0);
  }

  TEST_CASE("a token is asked for; other machines are not served without one") {
    const ExportedModel e;
    write_file(e.folder / "token", "0123456789abcdef\n");
    Served server(e, "--token-file " + e.folder / "token");
    CHECK(server.ask(rank_request(request)).status == 401);
    CHECK(server.ask(rank_request(request, "Authorization: Bearer 0123456789abcdeX\r\n")).status == 401);
    CHECK(server.ask(rank_request(request, "Authorization: Bearer 0123456789abcdef\r\n")).status == 200);
    CHECK(server.ask(get("/metrics")).status == 401);
    CHECK(server.ask(get("/healthz")).status == 200);
    CHECK(server.stop() == 0);
    check_refused(fmt::format("serve --model {} --port 0 --address 0.0.0.0", e.path), "give a --token-file");
    check_refused(fmt::format("serve --model {} --port 0 --address nowhere", e.path), "give a --token-file");
    write_file(e.folder / "short", "abc\n");
    check_refused(fmt::format("serve --model {} --token-file {}", e.path, e.folder / "short"),
                  "at least 16 characters");
    Served other(e);
    check_refused(fmt::format("serve --model {} --port {}", e.path, other.port()),
                  "cannot listen: Address already in use");
  }

  TEST_CASE("hostile bytes are answered with the right status or closed, and the server goes on") {
    const ExportedModel e;
    Served server(e, "--max-body 2000 --max-candidates 5 --max-history 20 --timeout 1");
    const std::string post = "POST /rank HTTP/1.1\r\nHost: here\r\n";
    struct Case {
      std::string bytes;
      int status;  // 0: closed
    };
    const std::string many(30, ' ');
    std::string candidates = "{\"candidates\":[\"101\"", past = "{\"candidates\":[],\"history\":[\"101\"";
    for (int i = 0; i < 5; ++i) candidates += ",\"101\"";
    for (int i = 0; i < 20; ++i) past += ",\"101\"";
    const Case cases[] = {
        {"\r\n\r\n\r\n garbage \r\n\r\n", 400},
        {std::string("\0\1\2\3\r\n\r\n", 8), 400},
        {"GET\r\n\r\n", 400},
        {"GET /healthz HTTP/9.9\r\n\r\n", 400},
        {post + "Content-Length: -1\r\n\r\n", 400},
        {post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345", 400},
        {post + "Content-Length: 99999999999999999999\r\n\r\n", 400},
        {post + "Content-Length: 1000000\r\n\r\n", 413},
        {post + "Content-Length: 2001\r\n\r\n" + std::string(2001, ' '), 413},
        {post + "Transfer-Encoding: chunked\r\n\r\nfff\r\n" + std::string(0xfff, ' ') + "\r\n0\r\n\r\n", 413},
        {post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
        {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
        {post + "X: " + std::string(9000, 'x') + "\r\n\r\n", 431},
        {"GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n", 431},
        {"DELETE /rank HTTP/1.1\r\nHost: here\r\n\r\n", 405},
        {"BREW /rank HTTP/1.1\r\nHost: here\r\n\r\n", 405},
        {rank_request(std::string(1900, '[')), 400},
        {rank_request(std::string(100, '\0')), 400},
        {rank_request(candidates + "]}"), 400},
        {rank_request(past + "]}"), 400},
        {rank_request(R"({"candidates":["101"],"k":-9223372036854775808})"), 400},
        {rank_request(R"({"candidates":["101"],"k":1e400})"), 400},
        {post + "Content-Length: 50\r\n\r\n{\"candid", 0},  // the rest never comes
        {"POST /rank HT", 0},
        {"", 0},
    };
    for (const Case& c : cases) {
      CAPTURE(c.bytes.substr(0, 80));
      HttpClient client(server.port());
      client.send(c.bytes);
      CHECK(client.receive().status == c.status);
      if (c.status == 0) CHECK(client.closed());
    }
    {  // a request whose sender has said its last word is answered
      HttpClient client(server.port());
      client.send(rank_request(request));
      client.end_sending();
      CHECK(client.receive().body == expected_answer(e, request));
      CHECK(client.closed());
    }
    {  // one that ends in the middle is closed
      HttpClient client(server.port());
      client.send(post + "Content-Length: 50\r\n\r\n{");
      client.end_sending();
      CHECK(client.receive().status == 0);
      CHECK(client.closed());
    }
    {  // one that comes byte by byte is cut at the deadline, although something always comes
      HttpClient client(server.port());
      bool taken = true;
      for (int i = 0; i < 200 && taken; ++i) {
        taken = client.send(i == 0 ? std::string_view(post) : std::string_view("X: y\r\n"));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      CHECK_FALSE(taken);
    }
    {  // an announced body is asked for
      HttpClient client(server.port());
      const std::string body = request;
      client.send(fmt::format("{}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n", post, body.size()));
      CHECK(client.receive().status == 100);
      client.send(body);
      CHECK(client.receive().body == expected_answer(e, request));
    }
    {  // in pieces of one byte
      HttpClient client(server.port());
      const std::string body = request;
      std::string chunks;
      for (const char c : body) chunks += fmt::format("1\r\n{}\r\n", c);
      client.send(post + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n");
      CHECK(client.receive().body == expected_answer(e, request));
    }
    CHECK(server.ask(rank_request(request)).body == expected_answer(e, request));
    CHECK(server.stop() == 0);
  }

  TEST_CASE("connections beyond the limit get 503, and room is made again") {
    const ExportedModel e;
    Served server(e, "--max-connections 2");
    {
      HttpClient first(server.port()), second(server.port());
      for (HttpClient* client : {&first, &second}) {
        client->send(get("/healthz"));
        CHECK(client->receive().status == 200);
      }
      HttpClient third(server.port());
      const HttpClient::Answer a = third.receive();
      CHECK(a.status == 503);
      CHECK(a.head.find("Retry-After: 1") != std::string::npos);
    }
    int status = 0;
    for (int tries = 0; tries < 500 && status != 200; ++tries) status = server.ask(get("/healthz")).status;
    CHECK(status == 200);
    CHECK(server.stop() == 0);
  }

  TEST_CASE("a stop finishes the request that has begun, closes what waits and takes nothing new") {
    const ExportedModel e;
    Served server(e);
    HttpClient idle(server.port()), busy(server.port());
    idle.send(get("/healthz"));
    CHECK(idle.receive().status == 200);
    const std::string bytes = rank_request(request);
    busy.send(get("/healthz") + bytes.substr(0, bytes.size() - 10));  // answered once: the server has the rest, too
    CHECK(busy.receive().status == 200);
    server.signal();
    CHECK(idle.closed());
    busy.send(bytes.substr(bytes.size() - 10));
    const HttpClient::Answer a = busy.receive();
    CHECK(a.body == expected_answer(e, request));
    CHECK(a.head.find("Connection: close") != std::string::npos);
    CHECK(server.wait() == 0);
  }

  TEST_CASE("load: every valid request is answered while hostile clients come, and memory stays") {
    // SEMINAR_LOAD_REQUESTS=100000 for a longer run.
    const char* wish = std::getenv("SEMINAR_LOAD_REQUESTS");
    const int total = wish ? std::atoi(wish) : 2000, clients = 4;
    const ExportedModel e;
    Served server(e, "--timeout 2");
    const std::string expected = expected_answer(e, request), bytes = rank_request(request);
    std::atomic<int> right{0};
    std::atomic<bool> done{false};
    std::vector<std::vector<double>> times(clients);
    const auto ask = [&](int count, std::vector<double>& seconds) {
      auto client = std::make_unique<HttpClient>(server.port());
      for (int i = 0; i < count; ++i) {
        if (i % 1000 == 999) client = std::make_unique<HttpClient>(server.port());
        const auto begin = std::chrono::steady_clock::now();
        client->send(bytes);
        right += client->receive().body == expected;
        seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
      }
    };
    ask(200, times[0]);  // so that what is kept has been taken
    times[0].clear();
    right = 0;
    const double before = server.metric("process_resident_memory_bytes");
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    threads.reserve(clients);
    for (int c = 0; c < clients; ++c) threads.emplace_back([&, c] { ask(total / clients, times[c]); });
    std::thread hostile([&] {
      for (int i = 0; !done; ++i) {
        HttpClient client(server.port());
        client.send(i % 3 == 0 ? "nonsense\r\n\r\n" : i % 3 == 1 ? rank_request("[[[[") : bytes.substr(0, 60));
        if (i % 3 == 1) client.receive();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    for (std::thread& t : threads) t.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    done = true;
    hostile.join();
    const double after = server.metric("process_resident_memory_bytes");
    std::vector<double> all;
    for (const auto& t : times) all.insert(all.end(), t.begin(), t.end());
    std::sort(all.begin(), all.end());
    MESSAGE(total << " requests on " << clients << " connections beside hostile ones: " << total - right << " dropped, "
                  << total / seconds << " a second, p50 " << 1e6 * all[all.size() / 2] << " us, p99 "
                  << 1e6 * all[all.size() * 99 / 100] << " us; memory " << before / 1e6 << " MB before, " << after / 1e6
                  << " MB after");
    CHECK(right == total);
    // AddressSanitizer holds what is freed, and looks for leaks itself.
    if (pool::caching()) CHECK(after - before < 4e6);
    CHECK(server.stop() == 0);
  }
}
