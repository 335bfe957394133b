// The explorer: one HTML file with a model, the runtime in WebAssembly and some users, which ranks in the browser and
// loads nothing. Its sources are apps/pages/explorer.html and what that names.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace seminar {

/// Bytes in base64, with padding.
std::string base64(std::span<const std::byte> bytes);

/// The page. `data` is JSON (explore_command.cpp tells its members), the others are whole files.
std::string explorer_page(const std::string& data, std::span<const std::byte> model, std::span<const std::byte> wasm);

}  // namespace seminar
