// What stands beside a CLIP model's weights: heads, activation, how pictures are prepared. A member that would change
// the result is used, or refused by its name.
#pragma once

#include "seminar/clip/clip.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Reads config.json and preprocessor_config.json of `folder` (Hugging Face) into settings that hold the sizes of the
/// tensors. Throws Error naming file and member where they say what this program does not compute.
void read_hugging_face_config(const std::string& folder, ClipSettings& settings, ChannelScale& scale);
/// The same of open_clip_config.json.
void read_open_clip_config(const std::string& folder, ClipSettings& settings, ChannelScale& scale);
/// The same of the text that save_clip writes; `where` is for messages.
void read_own_config(const std::string& text, const std::string& where, ClipSettings& settings, ChannelScale& scale);
std::string own_config(const ClipSettings& settings, const ChannelScale& scale);

}  // namespace seminar::inline SEMINAR_PRECISION
