// What a process needs before it opens or writes anything: descriptors 0, 1 and 2 that are its own,
// and writes that fail with an error instead of a signal.
#pragma once

namespace cli {

/// Opens /dev/null on those of the descriptors 0, 1 and 2 that are closed, so that no file of a run
/// becomes one of them; ignores SIGPIPE and SIGXFSZ, whose writes fail with EPIPE and EFBIG then;
/// and gives `stdout` and `stderr` what follows. Standard output that nobody reads any more takes
/// everything; standard error that cannot be written to, a full disk included, does so too: output
/// that is lost ends no run. To be called once, before the first write.
void prepare_standard_files();

/// From now on a write to standard output that nobody reads ends the process, as it does for most
/// programs: for a process that works for its reader alone.
void end_without_reader();

}  // namespace cli
