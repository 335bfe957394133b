// The container: what is written is read back, what is wrong is refused in one line.
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>

#include "tensor/io/safetensors.h"
#include "tests/temporary_folder.h"

using namespace seminar;

namespace {

// A file with the given header and data; `length` lies about the header if it is not negative.
std::string file_bytes(const std::string& header, const std::string& data, int64_t length = -1) {
  const uint64_t n = length < 0 ? header.size() : static_cast<uint64_t>(length);
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes + header + data;
}

}  // namespace

TEST_SUITE("safetensors") {
  TEST_CASE("round trip; equal contents give equal bytes") {
    const TemporaryFolder folder;
    const std::string path = folder / "a.safetensors";
    SafetensorsWriter writer;
    writer.meta("greeting", "hëllo \"you\"");
    writer.add("x", Tensor::from({2, 2}, {1, 2, 3, 4}));
    writer.add("scalar", Tensor::scalar(5));
    writer.add("none", Tensor::zeros({0, 3}));
    const std::vector<int32_t> ids{1, -2, 3};
    const std::vector<int64_t> big{int64_t{1} << 40};
    const std::vector<uint8_t> text{'h', 'i', '!'};
    writer.add<int32_t>("ids", {3}, ids);
    writer.add<int64_t>("big", {1}, big);
    writer.add<uint8_t>("text", {3}, text);
    const std::vector<int8_t> small{-128, 127};
    const std::vector<uint16_t> medium{65535};
    const std::vector<Bf16> halves{bf16_of(1), bf16_of(-2.5f), bf16_of(1.00390625f), bf16_of(1.01171875f)};
    writer.add<int8_t>("small", {2}, small);
    writer.add<uint16_t>("medium", {1}, medium);
    writer.add<Bf16>("halves", {4}, halves);
    CHECK_THROWS_WITH_AS(writer.add("x", Tensor::scalar(1)), "safetensors: 'x' added twice", Error);
    writer.save(path);
    const SafetensorsFile file(path);
    CHECK(file.meta("greeting") == "hëllo \"you\"");
    CHECK(file.tensor("x").to_vector() == std::vector<real>{1, 2, 3, 4});
    CHECK(file.tensor("scalar").item() == 5);
    CHECK(file.tensor("none").shape() == Shape{0, 3});
    CHECK(file.view<int32_t>("ids")[1] == -2);
    CHECK(file.view<int64_t>("big")[0] == int64_t{1} << 40);
    CHECK(file.view<uint8_t>("text").size() == 3);
    CHECK(file.view<int8_t>("small")[0] == -128);
    CHECK(file.view<uint16_t>("medium")[0] == 65535);
    CHECK(file.tensor("halves").to_vector() == std::vector<real>{1, -2.5, 1, 1.015625});  // ties to even
    CHECK_THROWS_WITH_AS(file.tensor("ids"), doctest::Contains("'ids': must be F64, F32, F16 or BF16, not I32"), Error);
    CHECK_THROWS_WITH_AS(file.tensor("y"), doctest::Contains("tensor missing: 'y'"), Error);
    CHECK_THROWS_WITH_AS(file.meta("farewell"), doctest::Contains("metadata missing: 'farewell'"), Error);
    writer.save(folder / "b.safetensors");
    CHECK(read_file(path) == read_file(folder / "b.safetensors"));
    const std::string bytes = read_file(path);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      write_file(folder / "cut", bytes.substr(0, cut));
      REQUIRE_THROWS_AS(SafetensorsFile(folder / "cut"), Error);
    }
  }

  TEST_CASE("hostile headers") {
    const TemporaryFolder folder;
    const std::string path = folder / "bad.safetensors";
    const auto refused = [&](const std::string& bytes, const std::string& message) {
      write_file(path, bytes);
      CAPTURE(bytes);
      CHECK_THROWS_WITH_AS(SafetensorsFile{path}, doctest::Contains(message.c_str()), Error);
    };
    const std::string four(4, '\1');
    const auto x = [](const std::string& rest) { return "{\"x\":{" + rest + "}}"; };
    const std::string good = x(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])");
    write_file(path, file_bytes(good, four));
    CHECK(SafetensorsFile(path).entries().size() == 1);

    // Names are keys, never paths; a name is one line.
    const std::string parent = R"({"../x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    write_file(path, file_bytes(parent, four));
    CHECK(SafetensorsFile(path).has("../x"));
    refused(file_bytes(R"({"a\nb":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four),
            "name too long or not printable: 'a\\x0ab'");
    refused(file_bytes("{\"" + std::string(1025, 'x') + "\":{}}", ""), "name too long");
    refused(file_bytes(R"({"__metadata__":{"a\u0000":"b"}})", ""), "not printable: 'a\\x00'");
    refused(file_bytes(x(R"("dtype":"F\n2","shape":[1],"data_offsets":[0,4])"), four), "not supported: 'F\\x0a2'");
    refused(file_bytes("{\"\xff\":{}}", ""), "not valid JSON");
    refused(file_bytes(" {}", ""), "does not start with '{'");
    refused(file_bytes(R"({"__metadata__":{"a":"b","a":"c"}})", ""), "key twice in '__metadata__': 'a'");
    refused(file_bytes(R"({"__metadata__":{},"__metadata__":{}})", ""), "tensor twice: '__metadata__'");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1e400],"data_offsets":[0,4])"), four), "header: ");
    refused(file_bytes(x(R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4])"), four),
            "unexpected value in 'x': 18446744073709551616");
    refused(file_bytes(x(R"("dtype":"F32","shape":[[1]],"data_offsets":[0,4])"), four), "unexpected value in 'x'");
    // No number, but strides that would overflow.
    refused(file_bytes(x(R"("dtype":"F32","shape":[0,281474976710656,281474976710656],"data_offsets":[0,0])"), ""),
            "shape overflows");
    refused(file_bytes(x(R"("dtype":"F32","shape":[281474976710656,0],"data_offsets":[0,0])"), ""), "shape overflows");

    refused("", "0 bytes");
    refused(file_bytes(good, four, 1000), "header length 1000 does not fit a file");
    refused(file_bytes(good, four, INT64_MAX), "does not fit a file");
    refused(file_bytes("", ""), "does not start with '{'");
    refused(file_bytes("[]", ""), "does not start with '{'");
    refused(file_bytes("{\"x\":", ""), "not valid JSON");
    refused(file_bytes("{}x", ""), "not valid JSON");
    refused(file_bytes(good, four + "more"), "4 bytes follow the last tensor");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"F32")"), four),
            "key twice in 'x': 'dtype'");
    refused(
        file_bytes(
            R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
            ""),
        "tensor twice: 'x'");
    refused(file_bytes(x(R"("dtype":"F31","shape":[1],"data_offsets":[0,4])"), four), "dtype not supported: 'F31'");
    refused(file_bytes(x(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), four), "unexpected value in 'x': -1");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), four), "unexpected value in 'x': 1.0");
    refused(file_bytes(x(R"("dtype":"F32","shape":[18446744073709551614],"data_offsets":[0,4])"), four),
            "number too large in 'x'");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1,1,1,1,1,1,1],"data_offsets":[0,4])"), four),
            "too many sizes in 'x'");
    refused(file_bytes(x(R"("dtype":"F32","shape":[281474976710656,281474976710656],"data_offsets":[0,4])"), four),
            "shape overflows");
    refused(file_bytes(x(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), four),
            "shape [2] needs 8 bytes, data_offsets give 4");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), four), "data_offsets outside the file");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), four), "data_offsets outside the file");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), four + four),
            "overlap or leave a hole at data byte 0");
    refused(
        file_bytes(
            R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
            four),
        "overlap or leave a hole");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1])"), four), "needs dtype, shape and two data_offsets");
    refused(file_bytes(x(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1)"), four),
            "unknown key in 'x': 'extra'");
    refused(file_bytes(R"({"x":3})", ""), "unexpected value in 'x': 3");
    refused(file_bytes(R"({"__metadata__":{"a":1}})", ""), "unexpected value in '__metadata__': 1");
    refused(file_bytes("{\"x\":" + std::string(100000, '['), ""), "header: ");
    refused(file_bytes("{\"x\":" + std::string(100000, '{'), ""), "header: ");
  }

  TEST_CASE("tensors of every type of the format are listed; norms of those that are read") {
    const TemporaryFolder folder;
    const std::string path = folder / "types.safetensors";
    const auto entry = [&](const char* dtype, int64_t count, const std::string& data) {
      write_file(path, file_bytes(fmt::format(R"({{"x":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})", dtype,
                                              count, data.size()),
                                  data));
      const SafetensorsFile file(path);
      CHECK(std::string(name_of(file.entry("x").dtype)) == dtype);
      return file.square_sum("x");
    };
    CHECK(*entry("BOOL", 4, std::string("\1\0\1\1", 4)) == 3);
    CHECK(*entry("I8", 2, "\xff\x03") == 10);
    CHECK(*entry("U8", 1, "\xff") == 255 * 255);
    CHECK(*entry("I16", 1, std::string("\xfe\xff", 2)) == 4);
    CHECK(*entry("U16", 1, std::string("\2\0", 2)) == 4);
    CHECK(*entry("U32", 1, std::string("\3\0\0\0", 4)) == 9);
    CHECK(*entry("I32", 1, std::string("\xfd\xff\xff\xff", 4)) == 9);
    CHECK(*entry("U64", 1, std::string("\4\0\0\0\0\0\0\0", 8)) == 16);
    CHECK(*entry("I64", 2, std::string("\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0", 16)) == 25);
    CHECK(*entry("F16", 1, std::string("\0\xc0", 2)) == 4);
    CHECK(*entry("BF16", 1, std::string("\0\xc0", 2)) == 4);
    for (const char* dtype : {"F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
      CHECK(!entry(dtype, 2, "ab").has_value());
    CHECK(!entry("C64", 1, "abcdefgh").has_value());
    CHECK(!entry("F4", 6, "abc").has_value());
    CHECK(!entry("F6_E2M3", 4, "abc").has_value());
    CHECK(!entry("F6_E3M2", 4, "abc").has_value());
    CHECK_THROWS_WITH_AS(entry("F4", 3, "a"), doctest::Contains("ends within a byte"), Error);
    CHECK_THROWS_WITH_AS(SafetensorsFile{path}, doctest::Contains("ends within a byte"), Error);
    // One that is not read leaves the others as they are.
    write_file(path, file_bytes(R"({"mask":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]},)"
                                R"("x":{"dtype":"F32","shape":[],"data_offsets":[4,8]}})",
                                std::string("\1\0\0\1\0\0\0\x40", 8)));
    CHECK(SafetensorsFile(path).tensor("x").item() == 2);
    CHECK_THROWS_WITH_AS(SafetensorsFile(path).tensor("mask"), doctest::Contains("must be F64, F32, F16 or BF16"),
                         Error);
    const std::string nul = std::string("{}\0{}", 5);
    write_file(path, file_bytes(nul, ""));
    CHECK_THROWS_WITH_AS(SafetensorsFile{path}, doctest::Contains("not valid JSON at byte 3: a NUL"), Error);
  }

  TEST_CASE("numbers off their alignment are copied, never looked at in place") {
    const TemporaryFolder folder;
    const std::string path = folder / "odd.safetensors", eight("\0\0\0\0\0\0\0\x40", 8);
    const auto header = [](const char* dtype) {
      return fmt::format(
          R"({{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},"x":{{"dtype":"{}","shape":[1],"data_offsets":[1,9]}}}})",
          dtype);
    };
    write_file(path, file_bytes(header("F64"), "\1" + eight));
    CHECK(SafetensorsFile(path).tensor("x").item() == 2);
    write_file(path, file_bytes(header("I64"), "\1" + eight));
    CHECK_THROWS_WITH_AS(SafetensorsFile(path).view<int64_t>("x"), doctest::Contains("'x': data not aligned"), Error);
  }

  TEST_CASE("writing fails whole: no folder, a folder in the way, nothing committed") {
    const TemporaryFolder folder;
    SafetensorsWriter writer;
    writer.add("x", Tensor::scalar(1));
    CHECK_THROWS_WITH_AS(writer.save(folder / "none/x"), doctest::Contains("No such file or directory"), Error);
    std::filesystem::create_directories(folder / "taken");
    CHECK_THROWS_AS(writer.save(folder / "taken"), Error);
    CHECK_THROWS_AS(check_writable(folder / "taken"), Error);
    check_writable(folder / "free");
    {
      AtomicFile dropped(folder / "dropped");
      dropped.write("half");
    }
    int files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "")) ++files;
    CHECK(files == 1);  // "taken"
  }
}
