// gzip and Zstandard. unpack.cpp is the only file that sees zlib and libzstd.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace train {

/// Whether a file of that name is packed: .gz or .zst.
bool unpacks(std::string_view name);

/// Hands what is in the file to `part`, piece by piece, unpacked where its name says so: several
/// members or frames one after the other are one text. Throws engine::Error as read_parts() does,
/// and where the file is no such archive, is damaged or ends too early.
void read_unpacked(const std::string& path, std::string_view if_missing,
                   const std::function<void(std::string_view)>& part);

}  // namespace train
