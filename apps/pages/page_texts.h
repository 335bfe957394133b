// Files of apps/pages, and the runtime's JavaScript, as texts in the program (apps/CMakeLists.txt puts them there).
#pragma once

#include <string_view>

namespace seminar {

extern const std::string_view page_css, explorer_html, explorer_css, explorer_mjs, ranking_mjs, pictures_mjs,
    seminar_mjs;

}  // namespace seminar
