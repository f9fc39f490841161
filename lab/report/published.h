// A study with its records, for others: a page to read, and all that its figures were made of, so
// that they can be made again without a run.
#pragma once
#include <filesystem>
#include <vector>

#include "lab/report/study_result.h"
#include "lab/runs/store.h"

namespace lab {

/// The records of a study's runs and of its tuning's, each once, without what is not known of them;
/// windows only where a verdict is taken over them, which is where the seeds share a test text.
std::vector<Json> records_of(const StudyFile& file, const Store& store, bool other_builds,
                             bool windows);

/// Writes DIR/NAME.json, and DIR/NAME.md with what DIR/NAME.note.md says by hand on top, if there
/// is one. Throws base::Error.
void publish(const StudyResult& result, const std::vector<Json>& records,
             const std::filesystem::path& folder);

/// A result again, and the records it was made of.
struct Published {
  StudyResult result;
  std::vector<Json> records;
};

/// From DIR/NAME.json and nothing else; `scratch` is an empty store. Throws base::Error: not
/// there, of another study file, records missing or edited.
Published read_published(const StudyFile& file, const std::filesystem::path& folder,
                         const Store& scratch);

/// DIR/index.html, of all of the studies that are published in DIR.
void publish_index(const std::vector<StudyResult>& results, const std::filesystem::path& folder);

}  // namespace lab
