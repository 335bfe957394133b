// HTTP as RFC 9110 and 9112 have it, and the pool beside it, with a service whose work the test holds back.
#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "apps/serve/model_service.h"
#include "apps/serve/server.h"
#include "tests/served.h"

using namespace seminar;

namespace {

// Ranks when it is told to.
class Gate : public RankingService {
 public:
  Reply rank(const std::string& text, const Deadline& deadline) noexcept override {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return {deadline.over() ? 503u : 200u, text + "\n", "gate"};
  }
  std::string model() const override { return "gate"; }
  void wait_for(int entered) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= entered; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int entered_ = 0;
};

// A server of this process.
class Here {
 public:
  Here(RankingService& service, const ServerOptions& options) {
    thread_ = std::thread([&service, options, this] {
      serve(
          service, options,
          [this](uint16_t port) {
            const std::lock_guard lock(mutex_);
            port_ = port;
            listening_.notify_all();
          },
          [] {});
    });
    std::unique_lock lock(mutex_);
    listening_.wait(lock, [this] { return port_ != 0; });
  }
  ~Here() {
    ::kill(::getpid(), SIGTERM);
    thread_.join();
  }
  Here(const Here&) = delete;
  Here& operator=(const Here&) = delete;
  int port() const { return port_; }

 private:
  std::mutex mutex_;
  std::condition_variable listening_;
  int port_ = 0;
  std::thread thread_;
};

ServerOptions free_port() {
  ServerOptions o;
  o.port = 0;
  return o;
}

// The statuses of all answers to these bytes, until the server closes.
std::vector<int> statuses(int port, const std::string& bytes) {
  HttpClient client(port);
  client.send(bytes);
  client.end_sending();
  std::vector<int> all;
  while (const int status = client.receive().status) all.push_back(status);
  return all;
}

std::string post(const std::string& headers, const std::string& body = "", const std::string& version = "1.1") {
  return "POST /rank HTTP/" + version + "\r\nHost: here\r\n" + headers + "\r\n" + body;
}

HttpClient::Answer ask(int port, const std::string& bytes, bool head_only = false) {
  HttpClient client(port);
  client.send(bytes);
  return client.receive(head_only);
}

}  // namespace

TEST_SUITE("http") {
  TEST_CASE("a request whose end is in doubt is refused, and what follows it is not read as another") {
    Gate gate;
    gate.open();
    Here server(gate, free_port());
    const std::string next = get("/healthz"), chunks = "0\r\n\r\n";
    struct Case {
      std::string bytes;
      std::vector<int> answers;
    };
    const Case cases[] = {
        {post("Transfer-Encoding: identity\r\n"), {400}},
        {post("Transfer-Encoding: xchunked\r\n", chunks), {400}},
        {post("Transfer-Encoding: chunked, identity\r\n", chunks), {400}},
        {post("Transfer-Encoding: chunked,\r\n", chunks), {400}},
        {post("Transfer-Encoding: chunked, chunked\r\n", chunks), {400}},
        {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks), {400}},
        {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks), {400}},
        {post("Transfer-Encoding: gzip, chunked\r\n", chunks), {501}},
        {post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", chunks), {501}},
        {post("Transfer-Encoding: gzip\r\n"), {400}},
        {post("Transfer-Encoding: \r\n"), {400}},
        {post("Transfer-Encoding: \"chunked\"\r\n", chunks), {400}},
        {post("Transfer-Encoding : chunked\r\n", chunks), {400}},
        {post("Transfer-Encoding:\x0b"
              "chunked\r\n",
              chunks),
         {400}},
        {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunks), {400}},
        {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunks), {400}},
        {post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "12345"), {400}},
        {post("Transfer-Encoding: chunked\r\n", chunks, "1.0"), {400}},
        {post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), {400}},
        {post("Content-Length: 2, 2\r\n", "{}"), {400}},
        {post("Content-Length: +2\r\n", "{}"), {400}},
        {post("Content-Length: 0x2\r\n", "{}"), {400}},
        {post("Content-Length: 2 \r\nContent-Length : 3\r\n", "{}"), {400}},
        {post("Content-Length: 1\r\n 2\r\n", "{}"), {400}},
        {post("Transfer-Encoding: chunked\r\n", "2\n{}\r\n0\r\n\r\n"), {400}},
        {post("Transfer-Encoding: chunked\r\n", "2\r\n{}0\r\n\r\n"), {400}},
        {post("Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"), {400}},
        {post("Transfer-Encoding: chunked\r\n", "10000000000000002\r\n{}\r\n0\r\n\r\n"), {400}},
        {post("X: a\nContent-Length: 2\r\n", "{}"), {400}},
        {post(std::string("X: a\0b\r\n", 8)), {400}},
        {post("X y: z\r\n"), {400}},
        // And these are as they should be, one after the other on one connection.
        {post("Transfer-Encoding: chunked\r\n", "2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n"), {200, 200}},
        {post("TRANSFER-ENCODING: Chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"), {200, 200}},
        {post("Content-Length: 2\r\n", "{}"), {200, 200}},
        {post("Content-Length: 0\r\n"), {200, 200}},
        {post(""), {200, 200}},
        {"\r\n" + post("Content-Length: 2\r\n", "{}"), {200, 200}},
    };
    for (const Case& c : cases) {
      CAPTURE(c.bytes);
      CHECK(statuses(server.port(), c.bytes + next) == c.answers);
    }
    CHECK(statuses(server.port(), next + std::string(1, '\0') + next) == std::vector<int>{200, 400});
  }

  TEST_CASE("targets, hosts and methods") {
    Gate gate;
    gate.open();
    ServerOptions options = free_port();
    options.page = "<p>page</p>";
    Here server(gate, options);
    const auto line = [](const std::string& first, const std::string& headers = "Host: here\r\n") {
      return first + "\r\n" + headers + "\r\n";
    };
    struct Case {
      std::string bytes;
      int status;
    };
    const Case cases[] = {
        {line("GET /healthz?x=1&y=/a?b HTTP/1.1"), 200},
        {line("GET /%68ealthz HTTP/1.1"), 200},
        {line("GET /?a HTTP/1.1"), 200},
        {line("GET http://other:80/healthz?x HTTP/1.1"), 200},
        {line("GET HTTPS://[::1]:8080/healthz HTTP/1.1"), 200},
        {line("GET http://other HTTP/1.1"), 200},
        {line("GET http://other?x HTTP/1.1"), 200},
        {line("GET http:///healthz HTTP/1.1"), 400},
        {line("GET http://a@b/healthz HTTP/1.1"), 400},
        {line("GET ftp://other/healthz HTTP/1.1"), 400},
        {line("GET healthz HTTP/1.1"), 400},
        {line("GET * HTTP/1.1"), 400},
        {line("GET /healthz#x HTTP/1.1"), 400},
        {line("GET /%6 HTTP/1.1"), 400},
        {line("GET /%zz HTTP/1.1"), 400},
        {line("GET /healthz%00 HTTP/1.1"), 404},
        {line("GET /healthz/ HTTP/1.1"), 404},
        {line("GET //healthz HTTP/1.1"), 404},
        {line("GET /Healthz HTTP/1.1"), 404},
        {line("GET /healthz HTTP/1.1", ""), 400},
        {line("GET /healthz HTTP/1.1", "Host: a\r\nHost: a\r\n"), 400},
        {line("GET /healthz HTTP/1.1", "Host: a b\r\n"), 400},
        {line("GET /healthz HTTP/1.1", "Host: a/b\r\n"), 400},
        {line("GET /healthz HTTP/1.1", "Host:\r\n"), 200},
        {line("GET /healthz HTTP/1.1", "hOST: a:80\r\n"), 200},
        {line("GET /healthz HTTP/1.0", ""), 200},
        {line("GET /healthz HTTP/1.0", "Host: a\r\nHost: b\r\n"), 400},
        {line("CONNECT here:80 HTTP/1.1"), 400},
        {line("TRACE /healthz HTTP/1.1"), 405},
        {line("PUT /rank HTTP/1.1"), 405},
        {line("POST /healthz HTTP/1.1"), 405},
        {line("POST /healthz HTTP/1.1", "Host: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"), 405},
        {line("POST /rank HTTP/1.1", "Host: a\r\nExpect: miracles\r\nContent-Length: 5\r\n"), 417},
    };
    for (const Case& c : cases) {
      CAPTURE(c.bytes);
      CHECK(ask(server.port(), c.bytes).status == c.status);
    }
    const auto has = [](const HttpClient::Answer& a, const std::string& field) {
      return (a.head + "\r\n").find("\r\n" + field + "\r\n") != std::string::npos;
    };
    for (const auto& [target, allow] :
         {std::pair{"/rank", "OPTIONS, POST"}, {"/healthz", "GET, HEAD, OPTIONS"}, {"*", "GET, HEAD, OPTIONS, POST"}}) {
      const HttpClient::Answer a = ask(server.port(), line(fmt::format("OPTIONS {} HTTP/1.1", target)));
      CHECK(a.status == 200);
      CHECK(has(a, fmt::format("Allow: {}", allow)));
      CHECK(has(a, "Content-Length: 0"));
    }
    CHECK(has(ask(server.port(), line("DELETE /rank HTTP/1.1")), "Allow: OPTIONS, POST"));
    CHECK(has(ask(server.port(), line("POST / HTTP/1.1")), "Allow: GET, HEAD, OPTIONS"));
    {  // HEAD: the head of GET, nothing after it, and the connection goes on
      HttpClient client(server.port());
      client.send(line("GET /healthz HTTP/1.1"));
      const HttpClient::Answer whole = client.receive();
      client.send(line("HEAD /healthz HTTP/1.1"));
      CHECK(client.receive(true).head == whole.head);
      client.send(line("HEAD /nothing HTTP/1.1"));
      CHECK(client.receive(true).status == 404);
      client.send(line("GET / HTTP/1.1"));
      CHECK(client.receive().body == options.page);
      client.send(line("HEAD /rank HTTP/1.1"));
      CHECK(client.receive(true).status == 405);
    }
    // HTTP/1.0 is closed unless it asks otherwise, and is told when it is not.
    for (const auto& [headers, kept] : {std::pair{"", false}, {"Connection: Keep-Alive\r\n", true}}) {
      HttpClient client(server.port());
      client.send(line("GET /healthz HTTP/1.0", headers));
      const HttpClient::Answer a = client.receive();
      CHECK(has(a, kept ? "Connection: keep-alive" : "Connection: close"));
      client.send(line("GET /healthz HTTP/1.1"));
      CHECK(client.receive().status == (kept ? 200 : 0));
    }
    {
      const HttpClient::Answer a =
          ask(server.port(), line("GET /healthz HTTP/1.1", "Host: a\r\nConnection: close\r\n"));
      CHECK(has(a, "Connection: close"));
    }
  }

  TEST_CASE("while all ranking is held back, the others are answered; who finds no place gets 503") {
    Gate gate;
    ServerOptions options = free_port();
    options.threads = 1;
    options.queue = 2;
    Here server(gate, options);
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(std::make_unique<HttpClient>(server.port()));
      clients.back()->send(rank_request(std::to_string(i)));
      if (i == 0) gate.wait_for(1);
    }
    // One is being ranked and two wait, once this server has read them: then the next one is refused.
    HttpClient next(server.port());
    HttpClient::Answer refused;
    while (ask(server.port(), get("/metrics")).body.find("\nseminar_waiting 2\n") == std::string::npos) {
    }
    next.send(rank_request("3"));
    refused = next.receive();
    CHECK(refused.status == 503);
    CHECK(refused.head.find("Retry-After: 1") != std::string::npos);
    CHECK(refused.body.find("too many requests are waiting") != std::string::npos);
    for (const char* path : {"/healthz", "/metrics"}) CHECK(ask(server.port(), get(path)).status == 200);
    next.send(get("/healthz"));  // the connection goes on
    CHECK(next.receive().status == 200);
    gate.open();
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const HttpClient::Answer a = clients[i]->receive();
      CHECK(a.status == 200);
      CHECK(a.body == std::to_string(i) + "\n");
      CHECK(a.head.find("Seminar-Model: gate") != std::string::npos);
    }
    next.send(rank_request("4"));
    CHECK(next.receive().body == "4\n");
  }

  TEST_CASE("waiting and ranking count for the deadline") {
    Gate gate;
    ServerOptions options = free_port();
    options.threads = 1;
    options.seconds = 0.1;
    Here server(gate, options);
    HttpClient first(server.port()), second(server.port());
    first.send(rank_request("1"));
    gate.wait_for(1);
    second.send(rank_request("2"));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    gate.open();
    CHECK(first.receive().status == 503);
    CHECK(second.receive().status == 503);
  }

  TEST_CASE("requests and answers that are held at once take no more memory than is allowed") {
    Gate gate;
    ServerOptions options = free_port();
    options.threads = 1;
    options.memory = 1000;
    Here server(gate, options);
    HttpClient first(server.port()), second(server.port());
    first.send(rank_request(std::string(600, 'a')));
    gate.wait_for(1);
    second.send(rank_request(std::string(600, 'b')));
    const HttpClient::Answer a = second.receive();
    CHECK(a.status == 503);
    CHECK(a.body.find("out of memory for requests") != std::string::npos);
    gate.open();
    const HttpClient::Answer answer = first.receive();
    CHECK(answer.body.find("out of memory for answers") != std::string::npos);  // 600 + 601 bytes
    HttpClient third(server.port());
    for (int i = 0; i < 50; ++i) {  // what was taken is given back
      third.send(rank_request(std::string(400, 'c')));
      CHECK(third.receive().status == 200);
      CHECK(ask(server.port(), rank_request(std::string(600, 'd'))).status == 503);
      CHECK(ask(server.port(), post("Transfer-Encoding: chunked\r\n", "xyz\r\n")).status == 503);
    }
  }

  TEST_CASE("a model that is swapped while requests run: every answer is of the one that it names") {
    ExportedModel e;
    const std::string text = R"({"history":["103","107"],"candidates":["105","109","110"],"explain":true})";
    const auto other = random_model(small_settings(), e.tiny.data, 4);
    std::string files[2], answers[2], sums[2];
    for (int m = 0; m < 2; ++m) {
      if (m == 1) export_model(*other, e.tiny.data, nullptr, {"f32", 12, 4}, e.path);
      files[m] = read_file(e.path);
      sums[m] = file_checksum(e.path);
      e.runtime = open_model(e.path);
      answers[m] = Ranking(e.runtime.get(), 0, {}).answer(text) + "\n";
    }
    for (const bool map : {false, true}) {
      ModelService service({e.path, map, 0, {}, false});
      std::atomic<bool> done{false};
      std::atomic<int> right[2] = {0, 0}, wrong{0};
      std::vector<std::thread> askers;
      for (int t = 0; t < 3; ++t)
        askers.emplace_back([&] {
          while (!done) {
            const RankingService::Reply reply = service.rank(text, {});
            const int m = reply.model == sums[0] ? 0 : 1;
            if (reply.status == 200 && reply.body == answers[m] && reply.model == sums[m])
              ++right[m];
            else
              ++wrong;
          }
        });
      for (int swap = 0; swap < 30; ++swap) {
        write_file(e.path, files[swap % 2]);
        service.reload();
        const int seen = right[swap % 2];
        while (right[swap % 2] == seen && wrong == 0) std::this_thread::yield();
      }
      done = true;
      for (std::thread& t : askers) t.join();
      CHECK(wrong == 0);
    }
  }
}
