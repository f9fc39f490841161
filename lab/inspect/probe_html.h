// A probe as a page to look at: moments, variance ratio and distance, hook by hook.
#pragma once
#include <string>

#include "lab/inspect/probe_render.h"

namespace lab {

/// A file of HTML that needs nothing else (lab/report/html/page.h).
std::string render_html(const ProbeHead& head, const Probe& probe);

}  // namespace lab
