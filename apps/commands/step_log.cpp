#include "apps/commands/step_log.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "tensor/error.h"
#include "tensor/io/file.h"

namespace seminar {
namespace {

// CRC-32C (Castagnoli), and the form in which TensorFlow stores it.
uint32_t masked_crc(const std::string& bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < t.size(); ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = c >> 1 ^ ((c & 1) != 0 ? 0x82f63b78u : 0);
      t[i] = c;
    }
    return t;
  }();
  uint32_t c = 0xffffffffu;
  for (const char b : bytes) c = c >> 8 ^ table[(c ^ static_cast<unsigned char>(b)) & 0xff];
  c = ~c;
  return (c >> 15 | c << 17) + 0xa282ead8u;
}

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// Fields of a protocol buffer: a key of number and wire type, then the value.
enum class Wire { varint = 0, bits64 = 1, bytes = 2, bits32 = 5 };

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

std::string field(int number, Wire wire, const std::string& value) {
  const std::string key = varint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(wire));
  return key + (wire == Wire::bytes ? varint(value.size()) : "") + value;
}

std::string event_at(int64_t step) {
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return field(1, Wire::bits64, little_endian(now)) + field(2, Wire::varint, varint(static_cast<uint64_t>(step)));
}

std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(const std::string& path, const char* mode) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), mode), std::fclose);
  check(file != nullptr, "{}: cannot be written: {}", path, errno_text(errno));
  return file;
}

void put(std::FILE* file, const std::string& path, const std::string& bytes) {
  check(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() && std::fflush(file) == 0,
        "{}: cannot be written: {}", path, errno_text(errno));
}

std::string new_event_path(const std::string& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  check(!code, "{}: cannot be created: {}", folder, code.message());
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (int number = 0;; ++number)
    if (const std::string path = fmt::format("{}/events.out.tfevents.{}.seminar.{}", folder, seconds, number);
        !file_exists(path))
      return path;
}

}  // namespace

EventFile::EventFile(const std::string& folder) : path_(new_event_path(folder)), file_(opened(path_, "wb")) {
  write_event(event_at(0) + field(3, Wire::bytes, "brain.Event:2"));
}

void EventFile::add(int64_t step, const Scalars& values) {
  std::string summary;
  for (const auto& [tag, value] : values)
    summary += field(1, Wire::bytes,
                     field(1, Wire::bytes, tag) + field(2, Wire::bits32, little_endian(static_cast<float>(value))));
  write_event(event_at(step) + field(5, Wire::bytes, summary));
}

void EventFile::write_event(const std::string& event) {
  const std::string length = little_endian(static_cast<uint64_t>(event.size()));
  put(file_.get(), path_, length + little_endian(masked_crc(length)) + event + little_endian(masked_crc(event)));
}

CsvLog::CsvLog(const std::string& path, bool resume)
    : path_(path),
      file_(opened(path, resume ? "ab" : "wb")),
      has_header_(resume && file_exists(path) && std::filesystem::file_size(path) > 0) {}

void CsvLog::add(int64_t step, const Scalars& values) {
  std::string header = "step", row = fmt::format("{}", step);
  for (const auto& [name, value] : values) {
    header += "," + name;
    row += fmt::format(",{:.9g}", value);
  }
  put(file_.get(), path_, (has_header_ ? "" : header + "\n") + row + "\n");
  has_header_ = true;
}

}  // namespace seminar
