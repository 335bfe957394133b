// 'seminar serve' from outside: answers, limits, hostile clients, load, the end.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "apps/serve/ranking.h"
#include "tensor/pool.h"
#include "tests/ranking_requests.h"
#include "tests/served.h"

using namespace seminar;

namespace {

constexpr const char* small_request =
    R"({"history":["103","107",{"item":"111","query":"red"}],"candidates":["105","109"],"query":"blue"})";

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
      client.send(rank_request(small_request));
      const HttpClient::Answer a = client.receive();
      CHECK(a.status == 200);
      CHECK(a.head.find("Content-Type: application/json") != std::string::npos);
      CHECK(a.body == expected_answer(e, small_request));
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
    check_answer(rank_request(R"({"candidates":["x"]})"), 200, R"({"scores":[null],"errors":[{"at":"candidates[0]")");
    check_answer(get("/rank"), 405, "use POST");
    check_answer(get("/nothing"), 404, "no such path");
    check_answer(get("/../etc/passwd"), 404, "no such path");
    check_answer(get("/"), 404, "no such path");
    check_answer(get("/metrics"), 200, "seminar_requests_total{status=\"400\"} 2\n");
    check_answer(rank_request(small_request) + rank_request(small_request), 200, "scores");  // two at once
    CHECK(client.receive().body == expected_answer(e, small_request));
    CHECK(server.metric("seminar_rank_seconds_count") == 6);
    CHECK(server.metric("seminar_candidates_total") == 10);
    CHECK(server.stop() == 0);
  }

  TEST_CASE("a token is asked for; other machines are not served without one") {
    const ExportedModel e;
    write_file(e.folder / "token", "0123456789abcdef\n");
    Served server(e, "--token-file " + e.folder / "token");
    CHECK(server.ask(rank_request(small_request)).status == 401);
    CHECK(server.ask(rank_request(small_request, "Authorization: Bearer 0123456789abcdeX\r\n")).status == 401);
    CHECK(server.ask(rank_request(small_request, "Authorization: Bearer 0123456789abcdef\r\n")).status == 200);
    for (const char* wrong :
         {"Bearer 0123456789abcdefx", "Bearer 0123456789abcde", "Bearer", "Bearer ", "0123456789abcdef",
          "Basic 0123456789abcdef", "Bearer0123456789abcdef", "Bearer 0123456789ABCDEF"})
      CHECK(server.ask(get("/metrics", fmt::format("Authorization: {}\r\n", wrong))).status == 401);
    for (const char* right : {"bearer 0123456789abcdef", "BEARER 0123456789abcdef", "Bearer   0123456789abcdef "})
      CHECK(server.ask(get("/metrics", fmt::format("Authorization: {}\r\n", right))).status == 200);
    CHECK(server.ask(get("/metrics", "Authorization: Bearer 0123456789abcdef\r\nAuthorization: Bearer x\r\n")).status ==
          401);
    CHECK(server.ask(get("/metrics")).status == 401);
    CHECK(server.ask(get("/healthz")).status == 200);
    CHECK(server.stop() == 0);
    check_refused(fmt::format("serve --model {} --port 0 --address 0.0.0.0", e.path), "give a --token-file");
    check_refused(fmt::format("serve --model {} --port 0 --address nowhere", e.path),
                  "--address: must be an IP address or localhost: 'nowhere'");
    write_file(e.folder / "short", "abc\n");
    check_refused(fmt::format("serve --model {} --token-file {}", e.path, e.folder / "short"),
                  "at least 16 characters");
    Served other(e, "--address LOCALHOST");
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
      client.send(rank_request(small_request));
      client.end_sending();
      CHECK(client.receive().body == expected_answer(e, small_request));
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
      const std::string body = small_request;
      client.send(fmt::format("{}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n", post, body.size()));
      CHECK(client.receive().status == 100);
      client.send(body);
      CHECK(client.receive().body == expected_answer(e, small_request));
    }
    {  // in pieces of one byte
      HttpClient client(server.port());
      const std::string body = small_request;
      std::string chunks;
      for (const char c : body) chunks += fmt::format("1\r\n{}\r\n", c);
      client.send(post + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n");
      CHECK(client.receive().body == expected_answer(e, small_request));
    }
    CHECK(server.ask(rank_request(small_request)).body == expected_answer(e, small_request));
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
    const std::string bytes = rank_request(small_request);
    busy.send(get("/healthz") + bytes.substr(0, bytes.size() - 10));  // answered once: the server has the rest, too
    CHECK(busy.receive().status == 200);
    server.signal();
    CHECK(idle.closed());
    busy.send(bytes.substr(bytes.size() - 10));
    const HttpClient::Answer a = busy.receive();
    CHECK(a.body == expected_answer(e, small_request));
    CHECK(a.head.find("Connection: close") != std::string::npos);
    CHECK(server.wait() == 0);
  }

  TEST_CASE("users apart: whatever is asked beside and before, each answer is that of a fresh user") {
    const ExportedModel e;
    for (const int threads : {1, 4}) {
      Served server(e, fmt::format("--threads {}", threads));
      std::vector<int> right(4, 0);
      std::vector<std::thread> clients;
      for (std::size_t c = 0; c < right.size(); ++c)
        clients.emplace_back([&, c] {
          HttpClient client(server.port());
          Rng rng(100 + c);
          for (int i = 0; i < 60; ++i) {
            const std::string text = random_ranking_request(rng, ExportedModel::history);
            client.send(rank_request(text));
            right[c] += client.receive().body == expected_answer(e, text);
          }
        });
      for (std::thread& t : clients) t.join();
      CHECK(right == std::vector<int>(4, 60));
      CHECK(server.stop() == 0);
    }
  }

  TEST_CASE(
      "two requests of 74 kB that would make answers of a GB are refused, and so is an answer that grows too long") {
    const ExportedModel e;
    std::string history, candidates;
    for (int i = 0; i < 10000; ++i) history += fmt::format("{}\"{}\"", i == 0 ? "" : ",", 101 + i % 30);
    for (int i = 0; i < 1000; ++i) candidates += fmt::format("{}\"{}\"", i == 0 ? "" : ",", 101 + i % 30);
    const std::string large = fmt::format(R"({{"history":[{}],"candidates":[{}],"k":10000,"explain":true}})", history,
                                          candidates),
                      all = "--history 10000 --max-explained 100000000 ";
    struct Case {
      std::string options, error;
    };
    for (const Case& c : {Case{"--history 10000", "explain: candidates × k × heads: at most 200000: 1000 × 10000 × 2"},
                          Case{all, "answer: more than 16777216 bytes"}}) {
      Served server(e, c.options);
      server.ask(rank_request(small_request));
      const double before = server.metric("process_resident_memory_bytes");
      HttpClient first(server.port()), second(server.port());
      for (HttpClient* client : {&first, &second}) client->send(rank_request(large));
      CHECK(server.ask(get("/healthz")).status == 200);
      for (HttpClient* client : {&first, &second}) {
        const HttpClient::Answer a = client->receive();
        CHECK(a.status == 400);
        CHECK(a.body.find(c.error) != std::string::npos);
      }
      if (pool::caching()) CHECK(server.metric("process_resident_memory_bytes") - before < 150e6);
      CHECK(server.stop() == 0);
    }
  }

  TEST_CASE("SIGHUP loads the model anew; a file that cannot be read leaves the old one") {
    ExportedModel e;
    Served server(e);
    const HttpClient::Answer before = server.ask(rank_request(small_request));
    CHECK(before.body == expected_answer(e, small_request));
    const auto told = [](const HttpClient::Answer& a) {
      const std::size_t at = a.head.find("Seminar-Model: ");
      REQUIRE(at != std::string::npos);
      return a.head.substr(at + 15, 16);
    };
    CHECK(told(before) == file_checksum(e.path));
    const auto other = random_model(small_settings(), e.tiny.data, 4);
    export_model(*other, e.tiny.data, nullptr, {"f32", ExportedModel::history, ExportedModel::k}, e.path);
    e.runtime = open_model(e.path);
    CHECK(server.ask(rank_request(small_request)).body == before.body);  // not before it is told
    server.signal(SIGHUP);
    server.wait_for("loaded anew: model " + file_checksum(e.path) + "\n");
    const HttpClient::Answer after = server.ask(rank_request(small_request));
    CHECK(after.body == expected_answer(e, small_request));
    CHECK(after.body != before.body);
    CHECK(told(after) == file_checksum(e.path));
    CHECK(server.metric(fmt::format("seminar_model_info{{checksum=\"{}\"}}", file_checksum(e.path))) == 1);
    write_file(e.path, "no model");
    server.signal(SIGHUP);
    server.wait_for("model " + told(after) + " stays\n");
    CHECK(server.ask(rank_request(small_request)).body == after.body);
    remove_file(e.path);
    server.signal(SIGHUP);
    server.wait_for("No such file");
    CHECK(server.ask(rank_request(small_request)).body == after.body);
    CHECK(server.stop() == 0);
  }

  TEST_CASE("load: every valid request is answered while hostile clients come, and memory stays") {
    // SEMINAR_LOAD_REQUESTS=100000 for a longer run.
    const char* wish = std::getenv("SEMINAR_LOAD_REQUESTS");
    const int total = wish ? std::atoi(wish) : 2000, clients = 4;
    const ExportedModel e;
    Served server(e, "--timeout 2");
    const std::string expected = expected_answer(e, small_request), bytes = rank_request(small_request);
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
