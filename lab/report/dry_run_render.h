// What a dry run says, as text and as JSON.
#pragma once
#include <string>

#include "lab/study/dry_run.h"

namespace lab {

std::string render_text(const DryRun& plan);
Json to_json(const DryRun& plan);

}  // namespace lab
