#include "lab/session/observer.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "lab/report/pages.h"

namespace lab {

bool Observers::wants_progress() const {
  return std::any_of(all_.begin(), all_.end(), [](Observer* o) { return o->wants_progress(); });
}

void PageWriter::table_changed(const Report& so_far) {
  // Choices of the tuning are no answer, and the final page is written with the answer.
  if (so_far.tuning || so_far.final) return;
  try {
    base::write_atomically(path_, render_html(so_far));
  } catch (const base::Error& e) {  // no reason to stop making runs
    if (!failed_) notes_.note(std::string("the page cannot be written for now: ") + e.what());
    failed_ = true;
  }
}

}  // namespace lab
