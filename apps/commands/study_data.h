// The data sets of the studies, made once in the study's folder.
#pragma once

#include <string>

#include "seminar/data/synthetic.h"

namespace seminar {

/// Where the sets come from.
struct StudySources {
  std::string folder;  ///< the study's; sets are made in its data/
  std::string s3rec;   ///< folder with S3-Rec's LastFM.txt, Beauty.txt and their attributes; may be empty
};

/// "movielens" (shipped), "lastfm" and "beauty" (from s3rec, a quarter of the behaviours with queries made of
/// attributes), "generated" (with long histories; `quick`: fewer users). Throws Error for another name or a missing
/// source.
Dataset study_data(const std::string& set, const StudySources& sources, bool quick);
/// A generated set, made in the study's folder unless it is there with these very settings.
Dataset generated_data(const std::string& name, const SyntheticSettings& settings, const StudySources& sources);

}  // namespace seminar
