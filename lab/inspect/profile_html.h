// A profile as a page to look at: the roofline, and a bar for every row.
#pragma once
#include <string>
#include <vector>

#include "lab/inspect/profile_render.h"

namespace lab {

/// A file of HTML that needs nothing else (lab/report/html/page.h).
std::string render_html(const ProfileHead& head, const Profile& profile,
                        const std::vector<ProfileTable>& tables);

}  // namespace lab
