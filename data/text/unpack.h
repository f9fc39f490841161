// gzip and Zstandard. unpack.cpp is the only file that sees zlib and libzstd.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "base/open_file.h"

namespace data {

/// The name without what says how the file is packed (.gz, .bgz, .zst, .zstd, in capitals too); all
/// of it where nothing does. Throws base::Error for a packing that is not read (.xz, .zip,
/// .tar.gz).
std::string_view unpacked_name(std::string_view name);

/// Hands what is in the file to `part`, piece by piece, unpacked where its name says so: several
/// members or frames one after the other are one text, zeros behind a gzip member are padding.
/// Throws base::Error as read_parts() does, and where the file is no such archive, is damaged or
/// ends too early.
void read_unpacked(const std::string& path, std::string_view if_missing,
                   const std::function<void(std::string_view)>& part,
                   base::Whose whose = base::Whose::kPerson);

}  // namespace data
